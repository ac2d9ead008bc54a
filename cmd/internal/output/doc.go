// Package output writes what a server logs and prints. Whether anybody reads that,
// and how fast, has no say in whether the server runs.
//
// A Writer takes each line at once into a bounded queue, and a goroutine of its own
// writes the queue out. A reader that is slow, stopped or gone, and a disk that is
// full, cost lines, which are counted; they never make a caller wait and never end
// the process. For the latter, package signals has to be asked to ignore SIGPIPE as
// well: the system sends it before a write can return an error.
//
// It knows nothing of what the lines say.
//
// Read writer.go for the queue, log.go for a log that writes to one.
package output
