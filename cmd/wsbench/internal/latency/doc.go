// Package latency keeps durations in HDR histograms: from a nanosecond to an hour, with
// three digits of precision. Any percentile can be read, and the histograms of several
// workers, hosts and intervals can be added exactly.
package latency
