// Command wscat is a WebSocket client for the command line: each line of
// standard input goes out as a message, each message that arrives is printed.
// "wscat --help" lists its flags and exit statuses.
//
// Only messages, or frames with --hex, go to standard output; notices go to standard
// error. What a peer sends cannot affect a terminal: it is escaped there. Elsewhere it is
// left unchanged.
//
// A session has three goroutines, because two of them block: one reads standard
// input, one reads the connection, and the session's own is the only one that writes to
// the connection. Reading goes on while a write is blocked, so there is no deadlock with a
// peer that stops reading until its own output is read.
//
// Read main.go, then session.go: what is sent, in which order, and when the session ends.
// wait.go is what happens after the end of the input, receive.go is the reader, input.go
// is standard input, ending.go the exit statuses, and screen.go what is shown.
// internal/trace prints frames.
package main
