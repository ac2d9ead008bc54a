// Package outfile writes the files that a command line names for a run's results.
//
// A run can take hours, so Check finds out in advance what could not be written at its end. It
// creates no files. Write writes the whole file or nothing: an existing file is replaced only
// at the end, by renaming, so it survives a failed run and a full disk.
//
// Read outfile.go, then place.go, which resolves paths.
package outfile
