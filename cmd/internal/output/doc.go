// Package output writes what a server logs and prints. A slow or missing reader does not affect
// the server.
//
// A Writer puts each line into a bounded queue without waiting, and a goroutine writes the
// queue out. If the reader is slow, stopped or gone, or the disk is full, lines are dropped and
// counted; callers never wait and the process never ends. For the latter, package signals must
// be used to ignore SIGPIPE as well: the system sends it before a write can return an error.
//
// It knows nothing about what the lines say.
//
// Read writer.go for the queue, log.go for a log that writes to one.
package output
