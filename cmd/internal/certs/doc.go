// Package certs keeps the certificate of a server, its key, and the authorities
// of its clients as they stand in files, and takes up what changes there.
//
// A Source is read once by Open, which refuses what is wrong by name. From then on
// a TLS handshake that finds the last look at the files long enough ago looks
// again, and so does Reload, which SIGHUP calls. A connection keeps what it began
// with: nobody is dropped. Files that cannot be used leave what was there before
// in place, and are named in the log once.
//
// It knows nothing of what is spoken over TLS.
//
// Read files.go for what the files must hold, source.go for when they are read.
package certs
