// Package interrupt ends a run before its time in an orderly way: by a signal, or
// because nobody reads its output any more. The run's context ends with the cause,
// an *Error, so that it can report what it has and exit with the status that a shell
// expects. The second signal kills.
package interrupt
