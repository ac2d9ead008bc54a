// Package peers compares hawser with other WebSocket libraries. It is a module
// of its own, so that none of them enters hawser's module graph.
//
// Run the masking benchmark with
//
//	cd cmd/wsbench/peers && go test -bench Mask
package peers
