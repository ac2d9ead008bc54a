package wsproto

// How the package works, for those who change it. doc.go is for its users.
//
// Read conn.go and receive.go first, then send.go and fragment.go: all state transitions are
// there. Each of the other files is one concept. The drivers are the reactor of package
// server, the blocking connections of package wsproto/wsconn, and cmd/wscat, which shows
// every frame.
