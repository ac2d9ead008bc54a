// Package metrics shows a running hawser to Prometheus. It is the only package that
// knows of Prometheus' library.
//
// What happens too often to be asked for, the chat tells an Observer (chat.go). Everything
// else is read when somebody scrapes: from server.Stats (server.go), from chat.Stats
// (chat.go), and from the engine (engine.go). METRICS.md in cmd/hawser lists it all; a test
// of that package holds the list against what the program shows.
//
// Names begin with hawser_ and are those of base units. Every label has a small, fixed set
// of values: no name, address or room is ever one.
package metrics
