// Package ports has the same small programs twice, with package hawser and with
// gorilla/websocket, each as short as it can be while it does the same: the same limits, the
// same ends, the same errors noticed. Its test runs every server with both clients, counts
// the lines of both, and fails if ours is longer. To see the table:
//
//	cd cmd/wsbench/peers && go test -v -run Lines ./ports
package ports
