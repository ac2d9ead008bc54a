// Package doorbell is the receiving half of an engine whose nodes share a stored log, and
// tell each other of appends by messages that may be lost, come twice, late or in
// another order: doorbells. What is stored is the truth. A doorbell only says where to look.
//
// A [Node] is the half of a chat.Node that hears of changes: over a [Source], which reads what
// is stored. Who is connected, and what they are called, is for the engine to add. It keeps the position of
// every conversation that it subscribes to. When a doorbell rings, and at each probe, it reads
// the changes after the position and gives them to its receiver. So the receiver is given
// every change in order, none missing and none twice, or Lost once, whatever becomes of the
// doorbells: without any, changes only come later, at the next probe.
//
// What an engine does with it:
//
//	node := doorbell.Attach(receiver, source, doorbell.Config{}) // Broker.Attach
//	node.Ring(conversation)                                      // for each doorbell that came in
//	node.Probe()                                                 // when some may have been lost: the connection was cut
//	node.Here(room, event)                                       // somebody's presence in a room
//	node.Renamed(user)                                           // the new name of somebody who is connected
//
// # Private conversations
//
// A node follows people, and cannot know with whom they talk next. So everybody has an inbox
// of hints, and an append to a private conversation takes these steps:
//
//	1  read the conversation's Tail
//	2  put a Hint with that tail into the inboxes of both people
//	3  append
//	4  ring the conversation
//
// A node that finds a hint reads the conversation from the hint's position on. If the append
// fails after step 2, or the process dies, the hint points to nothing, and does no harm. All
// steps together take less than Config.HintLife, or the append must fail: as long as that a
// node watches a conversation that it was pointed to.
//
// # Work
//
// However many conversations there are, a fixed number of goroutines reads (Config.Readers),
// and one probes. Reading takes one page of a conversation at a time, so that a busy one does
// not hold up the others. A probe asks for the tails of all conversations, in batches. What
// cannot be read is tried again after one probe, then two, four, up to 32; while the whole
// source fails, only the probe itself asks, as rarely.
//
// It must never know how changes are stored, nor who sends the doorbells.
//
// Read source.go and node.go, then reader.go (the goroutines), follower.go (one
// conversation), inbox.go (one person) and probe.go.
package doorbell
