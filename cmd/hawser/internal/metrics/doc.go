// Package metrics exposes a running hawser to Prometheus. It is the only package that uses
// Prometheus' library.
//
// The chat reports frequent events to an Observer (chat.go). Everything else is read at
// each scrape: from server.Stats (server.go), from chat.Stats (chat.go), and from the
// engine (engine.go). METRICS.md in cmd/hawser lists all metrics; a test of that package
// compares the list with the program's output.
//
// Names begin with hawser_ and use base units. Every label has a small, fixed set of
// values: no name, address or room is ever one.
package metrics
