// Package certs loads a server's certificate and key, and the authorities for its clients'
// certificates, from files, and reloads the files when they change.
//
// Open reads the files; its errors name the file. After that, a TLS handshake checks the files
// again if the last check is long enough ago, and so does Reload, which SIGHUP calls. Existing
// connections are not affected. If the new files cannot be used, the old contents stay in use,
// and the error is logged once.
//
// It knows nothing about what is sent over TLS.
//
// Read files.go for what the files must hold, source.go for when they are read.
package certs
