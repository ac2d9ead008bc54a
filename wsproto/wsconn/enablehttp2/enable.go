// Package enablehttp2 makes net/http accept WebSocket over HTTP/2 (RFC 8441) when a
// program imports it:
//
//	import _ "github.com/hawser-ws/hawser/wsproto/wsconn/enablehttp2"
//
// Otherwise net/http refuses the requests, and browsers open another connection, with
// HTTP/1.1, for each WebSocket. wsconn.Accept works in both cases.
//
// net/http has the feature behind the setting http2xconnect=1 in the environment variable
// GODEBUG. It reads that when the program starts, before main, and a go:debug line cannot
// change it. This package adds the setting to the variable before net/http reads it: the
// language initialises packages in the order of their import paths, each after what it
// imports, and this package imports only os. The setting is for the whole process, and
// its children inherit the variable, so only a program should import this package, and
// not a library.
package enablehttp2

import "os"

func init() {
	setting := "http2xconnect=1"
	if old := os.Getenv("GODEBUG"); old != "" {
		setting = old + "," + setting
	}
	os.Setenv("GODEBUG", setting)
}
