// Package peers compares hawser with other WebSocket libraries. It is a module
// of its own, so that none of them enters hawser's module graph.
//
// clients has tests of hawser with their clients. serve runs any of them as a server,
// node/server.mjs runs Node's ws; bench.sh measures them all beside hawser ("make
// bench-peers"). conform, node/conform.mjs and python/conform.py are the servers and
// clients that wsconform tests ("make peers-table"). ports has small programs written with
// hawser and with gorilla, and counts their lines. centrifugo and node/socketio.mjs are
// servers of other protocols, on which wsbench's scenario files are tried. The Go parts are
// tested by
//
//	cd cmd/wsbench/peers && go test ./...
//
// and the masking benchmark is run by
//
//	cd cmd/wsbench/peers && go test -bench Mask
package peers
