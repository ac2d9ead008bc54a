package wsconn

// How the package works, for those who change it. doc.go is for its users.
//
// The package knows nothing about what the messages mean or about the reactor in package
// server, and logs nothing.
//
// Read conn.go first: it says which lock guards what. Then read.go, write.go,
// fragments.go, ping.go and close.go, each of them one thing that a connection does.
// dial.go, proxy.go, connect.go and accept.go make the connection, http2.go one on a
// stream of HTTP/2; netconn.go and json.go are views of it. pool.go and
// reconnect.go build on all that.
