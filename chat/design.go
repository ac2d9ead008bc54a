package chat

// How the package works, for those who change it. doc.go is for its users.
//
// # The path of a message
//
//	step                                             where          lock
//	1  a text frame is read and handed over          server
//	2  parsed, checked; waits for turn and limits    connection.go  Connection.mu
//	3  queued for its conversation                   sequencer.go   shard.mu
//	4  with all others that wait, to Log.Append      sequencer.go   shard.mu, to take
//	5  stored, one transaction for all who wait      chat/bolt      one goroutine
//	6  acknowledged to its connection                sequencer.go   shard.mu
//	7  Deliver: encoded once, to the room's Fanout   deliver.go     shard.mu
//	8  to each loop, and its members' sockets        server
//
// There are two queues on it: the sequencer's (3) and the engine's (5).
//
// # Order
//
// The conversations are divided among shards. A shard's sequencer is one goroutine that
// appends this node's messages to the shard's conversations. So they stay in order, and a
// slow conversation delays only those of its shard. Other operations that may wait for the
// engine (look-ups, log-ins, queries) run in pools beside the sequencers. A connection's
// operations run in the order of their arrival: several messages at once if they go to the
// same sequencer, everything else alone.
//
// A room's position is that of the last change that its members were sent. A join is
// answered with this position under the lock that Deliver takes, so the answer and the
// changes that follow fit together without a gap or an overlap. Changes that arrive while
// this node waits for results of its own are held until the results are there (flight): so
// an acknowledgement always comes before the message.
//
// # Rooms, sessions and resuming
//
// A room's members are users, and the engine stores who they are. A connection hears the rooms
// of its user: from its log-in on, or from when another connection has joined (membership.go).
// The engine's report of that takes its turn among the connection's operations, so that only
// one of them at a time changes what the connection hears.
//
// A session is a log-in that outlives its connections (session.go). A client that comes back
// says which positions it holds. Its log-in then lasts until it has been sent what it missed
// (catchup.go): live changes of these conversations are kept for it until then, and the next
// operation of the connection waits.
//
// # Locks
//
// Connection.mu guards one connection's queue, shard.mu a share of the rooms, Hub.mu the
// people who are connected. They are locked in this order, and none is held while waiting
// for the engine. Sockets and fan-outs are called with them held, so they must not block or
// call back.
//
// # Reading
//
// engine.go and engineusers.go are the contract with what is outside; socket.go, name.go and
// limits.go are the vocabulary. scan.go, fields.go and operation.go read a message; encode.go
// and failure.go write one. actor.go, connection.go, shard.go, sequencer.go and deliver.go are
// the mechanism; limiter.go limits its rate, and sharedlimiter.go that of all nodes together.
// Every kind of operation has a file of its own: auth.go, join.go, leave.go, group.go,
// message.go, history.go, presence.go, rooms.go, peers.go, session.go, heartbeat.go. Beside
// them stands membership.go; and resume.go, catchup.go and behind.go for what follows auth.
// observer.go and figure.go are for monitoring.
