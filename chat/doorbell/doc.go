// Package doorbell is the receiving half of an engine whose nodes share a stored log, and tell
// each other about appends by doorbells: messages that may be lost, duplicated, delayed or
// reordered. What is stored is the truth; a doorbell only says where to look.
//
// A [Node] is the half of a chat.Node that receives changes. It reads what is stored from a
// [Source]; presence is for the engine to add. The node keeps the position of every
// conversation that it subscribes to. When a doorbell rings, and at each probe, it reads the
// changes after the position and gives them to its receiver. So the receiver gets every change
// in order, without a gap or a duplicate, or else Lost once, whatever happens to the doorbells:
// without them, changes only arrive later, at the next probe.
//
// A store that fails over to a copy may lose its last changes and give out their numbers again.
// So each position has the tag of its change, which is compared. If the tag differs, the Source
// begins a new epoch of that conversation ([Source].Check), so that no client confuses the two
// histories.
//
// What an engine does with it:
//
//	node := doorbell.Attach(receiver, source, doorbell.Config{}) // Broker.Attach
//	node.Ring(conversation)                                      // for each doorbell that arrives
//	node.Offer(conversation, change, tag)                        // the same, if the doorbell carries the change
//	node.Result(conversation, at, tell)                          // to tell where something was appended
//	node.Probe()                                                 // when some may have been lost: the connection was cut
//	node.Here(room, event)                                       // a presence event in a room
//	node.Renamed(user)                                           // the new name of a connected user
//
// # Private conversations
//
// A node follows users, and cannot know whom they will talk to next. So each user has an inbox of
// hints, and an append to a private conversation takes these steps:
//
//	1  read the conversation's Tail
//	2  put a Hint with that tail into the inboxes of both users
//	3  append
//	4  ring the conversation
//
// A node that finds a hint reads the conversation from the hint's position on. If the append
// fails after step 2, or the process dies, the hint points to nothing and does no harm. A node
// watches a conversation for Config.HintLife after a hint, so all steps together must take less
// than that; otherwise the append must fail.
//
// # Work
//
// A fixed number of goroutines read (Config.Readers), and one probes, however many conversations
// there are. A reader takes one page of a conversation at a time, so that a busy conversation
// does not delay the others. A probe asks for the tails of all conversations, in batches. A
// conversation or inbox that cannot be read is tried again after one probe, then after two, four,
// and so on up to 32. It is tried at the next probe if Node.Probe was called, or if another one
// can be read again. While the whole source fails, only the probe itself asks, just as rarely.
//
// The package must never know how changes are stored, or who sends the doorbells.
//
// Read source.go and node.go, then reader.go (the goroutines), follower.go (one
// conversation), inbox.go (one user) and probe.go.
package doorbell
