// Package autobahn is a conformance suite for WebSocket endpoints: the 517
// cases of the Autobahn testsuite 0.8.2 under their own ids, and cases of our
// own for what they leave out. It tests servers as a client does, and clients as
// a server does.
//
// A Case is data: frames to send, the event traces that are allowed, how the
// connection must end. One engine (session) plays a case in either role over
// one connection and one absolute deadline, and writes down everything on the
// wire. Verdicts mean what they mean in the original: see Grade in grade.go.
//
// The package imports nothing else of this module: a tester that shares the
// testee's code shares its bugs, and it must write what our own code refuses to
// write. Its handshake, its frame writer and its reader are in internal/wire.
//
// Read case.go and step.go for what a case is, session.go and closing.go for
// how it is played, trace.go and grade.go for how it is judged. cases_*.go are
// the cases; testserver.go and testclient.go run them; sub-package report prints
// results.
package autobahn
