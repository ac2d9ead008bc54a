// Package signals handles the signals of a long-running server: only those that ask it to stop
// end it.
//
// Tools do not use it: SIGPIPE, as from "| head", should end them.
package signals
