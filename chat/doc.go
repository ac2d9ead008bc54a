// Package chat is the chat service: who may say what, to whom it goes, and in
// which order. PROTOCOL.md beside this file is its wire format.
//
// It holds no socket and no database. It declares the small interfaces it needs and is
// tested whole with fakes: a [Socket] is one WebSocket, a [Fanout] sends to many, an
// [Engine] keeps what was said and carries it to every node, an [Authenticator] reads
// tokens, a [Clock] tells the time. It must never know of descriptors, HTTP, a database
// or a token format; those are package server and the sub-packages.
//
// A driver uses it so:
//
//	hub := chat.New(chat.Config{Engine: store.Parts(), Auth: tokens, NewFanout: newGroup, Limits: chat.DefaultLimits()})
//	c := hub.Open(socket, chat.ConnectionInfo{RemoteAddr: addr}) // when a connection opens
//	c.Handle(frame.Text, p)                                      // each message, in order; never blocks, keeps nothing of p
//	c.Closed()                                                   // exactly once, when it has closed; nothing after it
//	err := hub.Shutdown(ctx)                                     // before the connections are closed with 1001, and the engine
//
// # Ways in, one way out
//
// An [Actor] has something done: a [Connection] is one, and an HTTP request that publishes is
// another. [Hub.Do] does an operation: it checks rights, and gives what must be stored to the
// engine's [Log]. It never sends anything to anybody else. What was stored comes back from
// the engine's [Broker], to this node and to all others that subscribed, and Deliver
// (deliver.go) is the only place that sends it on. So it makes no difference on which node
// something was said.
//
// # A message's way
//
//	step                                             where          lock
//	1  a text frame is read and handed over          server
//	2  parsed, checked, its turn and the limits      connection.go  Connection.mu
//	3  queued for its conversation                   sequencer.go   shard.mu
//	4  taken with all that waits, to Log.Append      sequencer.go   shard.mu, to take
//	5  stored, one transaction for all who wait      chat/bolt      one goroutine
//	6  acknowledged to its connection                sequencer.go   shard.mu
//	7  Deliver: encoded once, to the room's Fanout   deliver.go     shard.mu
//	8  to each loop, and its members' sockets        server
//
// Two queues are on it: the sequencer's (3) and the engine's (5).
//
// # Order
//
// The conversations are shared out among shards. A shard's sequencer is one goroutine that
// appends what this node says in them, so that it stays in order, and a slow
// conversation delays those of its shard only. What may wait for the engine in another way
// (look-ups, log-ins, queries) runs in pools beside the sequencers. A connection's
// operations run in the order of their arrival: several messages at once if they go to one
// sequencer, everything else alone.
//
// A room's position is that of the last change that its members were sent. A join is
// answered with it under the lock that Deliver takes, so what the answer says and what the
// connection hears fit together without a gap or an overlap. Changes that come while this
// node waits for results of its own are held until those are there (flight): an
// acknowledgement always comes before the message.
//
// Nothing waits for longer than Config.OperationTimeout, counted from when its turn came: not
// in a queue, and not for the engine. The first message in a room, which makes it, runs
// alone, since it may be refused.
//
// # Locks
//
// Connection.mu guards one connection's queue, shard.mu a share of the rooms, Hub.mu the
// people who are connected. They are taken in this order, never the other way round, and
// none is held while the engine is waited for. Sockets and fan-outs are called under them,
// which is why these may not block or call back.
//
// # Reading
//
// engine.go is the contract with what is outside; socket.go, name.go and limits.go are the
// vocabulary. scan.go, fields.go and operation.go read a message; encode.go and failure.go
// write one. actor.go, connection.go, shard.go, sequencer.go and deliver.go are the mechanism,
// limiter.go says how fast it may go. Every kind of operation is a file of its own: auth.go,
// join.go, leave.go, group.go, message.go, history.go, presence.go, rooms.go, peers.go,
// heartbeat.go. observer.go and figure.go are for those who watch the service.
package chat
