// Package wstest has connections in memory, for the tests of programs that use package
// wsproto/wsconn.
//
// [Pipe] returns both ends of a connection, each with the whole protocol, to test a
// program's client against its server without a network:
//
//	client, server := wstest.Pipe(t, nil)
//	go serve(server)
//	ask(client)
//
// [Client] and [Server] return one end and a [Peer], which does nothing by itself. A test says
// what it sends, frame by frame and invalid ones too, and what it expects:
//
//	c, peer := wstest.Server(t, nil)
//	go serve(c)
//	peer.Text("ping")
//	peer.Expect(`text "pong"`)
//	peer.Send("\x83\x00") // an opcode that does not exist
//	peer.Expect(`close 1002 "reserved opcode"`)
//
// Nothing here uses a network, a process or a file, so tests may run in a bubble of
// package testing/synctest, where time passes as fast as it can.
package wstest
