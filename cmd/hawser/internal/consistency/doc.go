// Package consistency checks the histories of chat clients: given everything that some clients
// did and saw while a service was being broken, it lists the promises of chat/PROTOCOL.md that
// the service did not keep.
//
// A history is a list of events in the order in which they happened, by one clock. [Check] is
// a pure function of it. [Save] and [Load] keep a history in a file, one event a line, so that
// a failed run can be examined again.
//
// The rules:
//
//	order        a conversation has one order: everybody agrees on what is at a seq of an epoch
//	doubled      a message is stored once, however often it was sent with its ref
//	ghost        only what was sent, and not refused, is ever seen
//	delivery     a connection hears the rooms of its user, and gets every message after its
//	             position once, in order, or a reload
//	early        an acknowledgement reaches the sending connection before the message does
//	undelivered  when the service is well, every open connection has got everything
//	missed       what a client was delivered and what it read add up to the whole
//	lost         what was acknowledged or seen is in every later reading, unless a loss was planned
//	page         a page of history has no holes and keeps to its bounds
//	epoch        a new epoch only after a planned loss, the same one on all nodes, and never back
//	reload       a client is told to reload only if the history is another one
//	presence     when the service is well, it names the users that are connected, and no others
//	unanswered   when the service is well, whatever was sent has been answered
//
// The clients must follow these rules: every message has unique content; every request is
// recorded before it is written, and every answer when it has been read; while the service is
// given time to become well (a [Settled] event), they send nothing new.
//
// The package must never know how events come about. Read event.go first, then check.go; each
// other file holds the rules of its name.
package consistency
