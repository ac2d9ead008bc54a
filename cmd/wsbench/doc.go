// Command wsbench measures WebSocket servers, and says how far its own figures can be
// trusted. "wsbench --help" says what it does.
//
// main.go chooses the command, flags.go reads a run's flags, and the files named
// after the commands wire them up. What is measured, and how, is in internal:
// read internal/load first.
package main
