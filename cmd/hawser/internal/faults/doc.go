// Package faults breaks real hawser nodes under random clients, and checks what the clients
// saw with package consistency. It consists of tests:
//
//	go test ./cmd/hawser/internal/faults        a minute of it
//	make faults-cluster                         30 minutes; FAULTS_FOR and FAULTS_SEED choose
//
// The nodes are processes. Between a client and a node, and between a node and its Redis, there
// is a relay that can be cut, stalled, slowed and made to swallow what is sent. The clients
// speak chat/PROTOCOL.md: they reconnect, send unacknowledged messages again, and read what
// they missed. Each records everything that it does and sees.
//
// A run has rounds. In each, the service is broken for a while. Then it is repaired, the
// clients come to rest, and the test measures how long the service needs to become well: all
// clients have everything, and presence is right on every node. Then everything stored is read
// from every node.
//
// The random decisions follow from the seed, which is printed. What happens in between does
// not: a run with the same seed breaks the same things in the same order, no more.
//
// Read faults_test.go (the tests), run_test.go (rounds), nemesis_test.go (what is broken), then
// client_test.go (a client) and the files that its comments name, and audit_test.go.
package faults
