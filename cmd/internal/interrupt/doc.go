// Package interrupt ends a run early but orderly: on a signal, or when its output is no longer
// read. The run's context ends with an *Error as the cause, so that the program can report what
// it has and exit with the status that a shell expects. A second signal kills it.
package interrupt
