// Package redis is a chat engine for many nodes that share a Redis (7.0 or later, or Valkey):
// one server, Sentinels with replicas, or a Cluster. It passes chat/enginetest.
//
//	engine, err := redis.Open(ctx, redis.Config{Addresses: []string{"127.0.0.1:6379"}})
//	hub := chat.New(chat.Config{Engine: engine.Parts(), …})
//	…
//	engine.Close(ctx) // after the hub was shut down
//
// # Two halves
//
// store knows what is stored: the conversations, users, rooms, memberships, sessions and bans. It
// is a chat.Log, a chat.Directory and so on, and knows nothing of nodes. broker knows how nodes
// hear of what is stored, and who is connected to them. It needs a doorbell.Source to read from,
// and the names of users: another Log could be put in the place of store, if it rings.
//
// The logs are the truth, and Pub/Sub is the doorbell. A doorbell carries the change, so that a
// node normally reads nothing (doorbell.Node.Offer). Where one is missing, the node reads the
// log; a lost last one is found by the probe of the tails, within Config.ProbeEvery.
//
// # Keys
//
// Conversations and users fall into 4,096 partitions, each with a hash tag, {0} to {4095}. All
// keys of a partition are in one slot of a cluster. After the prefix ("hawser:") and the tag
// comes a letter, and then perhaps a name:
//
//	t          hash: the tail of each conversation, "change seq tag ts epoch back"; "#" is the epoch of new ones
//	s r:lobby  list: the log of a conversation, of "tag ts record"; and its channel (sharded, as all are)
//	f          list: the feed, "n change conversation" of what was stored last in the partition
//	r …        string: where the message with a ref stands; expires after Config.RefLifetime
//	z, p       sorted set and hash: who is in a room, and by which nodes
//	m r:lobby  sorted set: members of a room
//
//	u u_ada    hash: a user
//	d u_ada    channel of a user: private messages, new names, memberships
//	h, i, l    numbers of hints (hash), inbox of hints (sorted set), private conversations (sorted set) of users
//	o u_ada    hash: the nodes that a user is connected to
//	m u_ada    sorted set: rooms that a user is a member of
//	e u_ada    hash: a user's sessions, in JSON; e alone: when to look at sessions (sorted set)
//	w s_…      string: the user of a session
//	b u_ada    string: why a user is banned
//	k …        hash: the users who have names of a look
//	n …        set: what a node has in the partition, to be removed when it dies
//
// A log is a list and not a stream, although a stream is what it means: a stream takes 4 KiB as
// soon as it has one entry, which is all that most talks and rooms have (5.4 KB against 0.56 KB),
// and appending to it costs twice as much. The numbers are those of the tail: the log ends there.
//
// And outside of the partitions: epoch (string), rooms (sorted set: the list of rooms by time),
// nodes (sorted set: heartbeats), tokenkey (string: KeyID), {0}control (stream that every node
// reads).
//
// # What is atomic
//
// Every script touches one slot, and is atomic there. Append stores any number of entries of one
// conversation in one call: the refs are looked up, the changes get numbers, times and tags, the
// log, the tail and the feed are written, and the doorbell rings. Calls of different
// conversations are pipelined.
//
// What lies in two slots is done in an order in which a process may die between any two steps:
//
//	private message   hints and lists of both, then the message, then their doorbells: a hint to nothing is harmless
//	list of rooms     after the message, within half a second; a sweep finds what is missing
//	membership        the room's list, the user's list (which counts), the room's list: entries are checked when read
//	name of a user    claim of the look, record, confirmation: a claim in the way is compared with the record
//	session           the way from its id to its user, then the session
//	end of sessions   the sessions, then word to all nodes by the control stream; a node that missed
//	                  it finds out when it next refreshes its sessions
//	ban               the ban, then the end of the sessions
//
// # When a message counts as stored
//
// Config.Ack chooses what must be true before a message is acknowledged:
//
//	zero value            it is in the primary's memory     survives the death of any node
//	Disk                  it is on the primary's disk       and the death of the server, if its disk stays
//	Replicas: N           it is in the memory of N replicas and the loss of the primary, if one of those N takes over
//	Disk and Replicas: N  from Redis 7.2 on: on all these disks
//
// Disk takes appendonly yes. Before Redis 7.2 it also takes appendfsync always: the server answers
// after the sync. From then on WAITAOF waits for the disk, whatever appendfsync is. Replicas uses
// WAIT. Neither makes Redis a system with consensus: a Sentinel or a cluster may promote a replica
// that is behind, if those that have the message cannot be reached. Then the conversation gets
// another epoch (below), and clients are told.
//
// What the settings of a server cannot give is refused when the engine is opened. The settings are
// read again with every heartbeat, as a server that took over may have others: while they do not
// fit, nothing is stored, and Healthy says why. A message that was stored and did not become safe
// in time has chat.ErrOutcomeUnknown: repeated with its ref, it is acknowledged when it is safe.
//
// # Redis away
//
// Every command and every dialling ends within Config.Timeout, also if the network swallows
// everything. What cannot be sent fails at once; nothing is tried again by itself, but doorbells,
// heartbeats and subscriptions, with pauses that grow and differ among nodes. A node goes on
// serving what it holds, and Healthy says what is wrong. Subscriptions are made again 256 at a
// time; then everything is looked at that may have been missed. A subscription whose connection
// lives but hears nothing is found by the questions that it is asked every 10 s, by the way that
// changes take, and is replaced within 20 s.
//
// # Loss of data
//
// Each conversation has an epoch. It begins another one if Redis has lost some of its changes,
// and only then: an emptied Redis has another epoch from the start; a server that fails over to a
// replica without the last changes, or an old backup, has tails that end before a change that
// some node has seen, or that have another tag there. A node that notices it, by a doorbell, at a
// probe, or at the next append (which is told what the node knows), begins the new epoch, and
// the receivers of that conversation are told Lost.
//
// # Nodes that die
//
// A node sends one heartbeat for everybody who is connected to it, every quarter of
// Config.PresenceTTL. Nobody counts as present because of a node without heartbeats. The others
// remove what it had, and tell who has left. A node that was only slow registers again under
// another id.
//
// Read keys.go, store.go, append.go with scripts/append.lua, and read.go; then broker.go, node.go,
// listener.go with link.go, roster.go and registry.go; then sessions.go.
package redis
