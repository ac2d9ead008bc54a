// Package handover lets a running process start its own successor from the binary that now
// stands at its path, and pass it descriptors and bytes, so that one of the two serves at any
// time and never both. It knows nothing of what it carries.
//
//	old process                              new process
//	Start  ---- its versions --------------> Inherit
//	       <--- the versions chosen -------- Receive
//	Send   ---- bytes, descriptors --------> Receive
//	Send   ---- bytes, descriptors -------->
//	       <--- acknowledged --------------- Receive, again
//	Commit ---- take ----------------------> Receive returns io.EOF
//	       <--- one byte ------------------- Commit
//	exits                                    serves
//
// The one byte is the commit. Until it is written, the new process touches nothing that it
// has received, and the old one can go on as if nothing had happened: it does so if the
// new process does not start, refuses, takes too long or dies. Once it is written, the old
// process only exits. What is between is decided by Giver.Commit: after it has said "take" it
// has either read the byte, or has seen that the new process is dead and has not written
// it. If the old process dies before it said "take", so does the new one; if it dies later, the new
// one goes on.
//
// The channel is a pair of Unix sockets that the new process inherits. Every step has a
// time limit. What is carried is up to the caller, in formats with names and version
// numbers: for each, the newest version that both processes know is used, so that one can go
// back to an older binary, too.
//
// Only a binary is started that nobody else can have replaced: its file and its
// folders belong to root or to this user, and are not writable by others. As process 1, as in a container,
// there is no successor: when it exits, so does everything else.
//
// On systems other than Linux, Start returns ErrUnsupported.
//
// Read wire_linux.go for the channel, then give_linux.go and take_linux.go.
package handover
