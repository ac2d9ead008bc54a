// Package latency keeps durations in HDR histograms: from a nanosecond to an
// hour, to three digits, so that percentiles of any depth can be read and
// histograms of several workers, hosts and intervals added up exactly.
package latency
