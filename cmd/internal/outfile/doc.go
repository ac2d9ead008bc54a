// Package outfile writes the files that a command line names for a run's results.
//
// A run can take hours, so Check finds out before it what could not be written at
// its end, and leaves nothing behind: neither does a run that cannot begin. Write
// makes a file whole or not at all. What was there before is replaced at the very
// end, by renaming; so it outlives a run that fails, and a full disk.
//
// Read outfile.go, then place.go, which says what a path stands for.
package outfile
