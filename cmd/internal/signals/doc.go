// Package signals says what the signals of a long-running server do: none but those
// that ask it to stop ends it, whatever its configuration.
//
// Tools are different, and do not use it: the SIGPIPE of "| head" is what ends them.
package signals
