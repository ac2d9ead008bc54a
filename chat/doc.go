// Package chat is the chat service: who may say what, to whom it goes, and in
// which order. PROTOCOL.md beside this file is its wire format.
//
// It holds no socket. It declares the small interfaces it needs and is tested
// whole with fakes: a [Peer] is one connection, a [Fanout] sends to many, a
// [Store] keeps what was said, an [Authenticator] reads tokens, a [Clock] tells
// the time. It must never know of descriptors, HTTP, a database or a token
// format; those are package server and the sub-packages chat/bolt, chat/auth and
// chat/api. A broker between several nodes will stand beside Store: the committer
// is the one place that publishes, so it is the one place that will ask it.
//
// A driver uses it so:
//
//	hub := chat.New(chat.Config{Store: store, Auth: tokens, NewFanout: newGroup, Limits: chat.DefaultLimits()})
//	s := hub.Open(peer, chat.PeerInfo{RemoteAddr: addr}) // when a connection opens
//	s.Handle(frame.Text, p)                              // each message, in order; never blocks, keeps nothing of p
//	s.Closed()                                           // exactly once, when it has closed; nothing after it
//	err := hub.Shutdown(ctx)                             // before the connections are closed with 1001, and the store
//
// # Order
//
// Everything rests on three rules. A session's operations run in the order of
// their arrival (session.go). One committer takes whatever waits, of all
// conversations, as one batch: one store transaction, one sync, and only then the
// acknowledgements and the fan-out, in seq order (committer.go). A join runs in the
// committer too, so that what its answer says and what its peer hears fit
// together without a gap or an overlap.
//
// # Locks
//
// Session.mu guards one session's queue and Hub.mu the rooms and users. Neither is
// ever taken while the other is held, and neither is held while the store works. Peers and
// fan-outs are called under them, which is why these may not block or call back.
//
// # Reading
//
// peer.go, store.go, name.go and limits.go are the vocabulary. displayname.go says what
// people may be called, and names the files of its rules. scan.go, fields.go and
// request.go read a message; encode.go and failure.go write one. session.go, hub.go
// and room.go are who is there; committer.go and publish.go what is said; query.go,
// history.go and workers.go what is asked.
package chat
