// Package chat is the chat service: who may say what, who receives it, and in which order.
// Its wire format is PROTOCOL.md, in the same directory.
//
// It holds no sockets and no database. It declares the small interfaces that it needs, and
// is tested as a whole with fakes: a [Socket] is one WebSocket, a [Fanout] sends to many, an
// [Engine] stores messages and carries them to every node, an [Authenticator] reads tokens,
// a [Clock] tells the time. It must never know about descriptors, HTTP, databases or token
// formats; those are for package server and the sub-packages.
//
// A driver uses it so:
//
//	hub := chat.New(chat.Config{Engine: store.Parts(), Auth: tokens, NewFanout: newGroup, Limits: chat.DefaultLimits()})
//	c := hub.Open(socket, chat.ConnectionInfo{RemoteAddr: addr}) // when a connection opens
//	c.Handle(frame.Text, p)                                      // each message, in order; never blocks, keeps nothing of p
//	c.Closed()                                                   // exactly once, when it has closed; nothing after it
//	err := hub.Shutdown(ctx)                                     // before the connections are closed with 1001, and the engine
//
// # Ownership
//
// A [Connection] copies what it keeps of a message, and hands sockets and fan-outs messages that are
// encoded once and shared. Its methods may be called from any goroutine, but messages must be handed
// over in the order in which they arrived.
//
// # Errors
//
// What a client asked for and cannot have is an answer on its connection, a [Failure] with a code that
// PROTOCOL.md lists. An engine that fails is one, too: its error goes to the log, and nothing is closed.
//
// # Limits and time
//
// Start from [DefaultLimits]: a zero value is no limit. No operation waits for longer than
// Config.OperationTimeout from when its turn came, neither in a queue nor for the engine. The first
// message in a room, which creates the room, runs alone, because it may be refused.
//
// # Ways in, one way out
//
// Operations are done for an [Actor]: a [Connection] is one, and an HTTP request that
// publishes is another. [Hub.Do] does an operation: it checks rights, and gives what must be
// stored to the engine's [Log]. It never sends anything to anyone but the actor. What was
// stored comes back from the engine's [Broker], to this node and to all others that
// subscribed, and Deliver (deliver.go) is the only place that sends it on. So it makes no
// difference on which node something was said.
//
// # Engines
//
// An engine of one process builds on package local; one whose nodes share a stored log, on
// package doorbell. Package memory is the simplest engine, for tests; package bolt stores on disk,
// and package redis is shared by several nodes.
package chat
