// Command wscat is a WebSocket client for the command line: each line of
// standard input goes out as a message, each message that arrives is printed.
// "wscat --help" lists its flags and exit statuses.
//
// Messages, or frames under --hex, go to standard output and nothing else does;
// notices go to standard error. What a peer sends can do nothing to a terminal:
// it is escaped there, and left as it is everywhere else.
//
// A session has three goroutines, because two of them block: one reads standard
// input, one reads the connection, and the session's own is the only one that
// writes to the connection. Reading goes on while a write is stuck, so a peer
// that reads only when it is read itself does not bring both to a halt.
//
// Read main.go, then session.go: what is sent, in which order, and when it ends.
// wait.go is what happens when the input has ended, receive.go is the reader, input.go standard input, ending.go the exit statuses,
// screen.go what is shown; internal/trace prints frames.
package main
