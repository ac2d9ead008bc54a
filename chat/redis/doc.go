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
//	t          hash: the tail of each conversation, packed (tail.go); "#" is the epoch of new ones
//	s r:lobby  list: the log of a conversation, of tag, time and record (record.go); and its channel (sharded, as all are)
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
//	g u_ada    sorted set: sessions of a user that have ended, and when; "-" for all
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
// reads), {0}bans (hash: bans by subject, as JSON, and "#", the number of changes).
//
// # What is atomic
//
// Every script touches one slot, and is atomic there; that of appends touches several, where they
// are all on one server without a cluster. It stores any number of entries of a conversation: the
// refs are looked up, the changes get numbers, times and tags, the log and the tail are written, and
// the doorbell rings. A call has up to eight conversations, each of which succeeds or fails by
// itself, and calls are pipelined.
//
// What lies in two slots is done in an order in which a process may die between any two steps:
//
//	private message   hints and lists of both, then the message, then their doorbells: a hint to nothing is harmless
//	list of rooms     after the message, within half a second; a sweep finds what is missing
//	membership        the room's list, the user's list (which counts), the room's list: entries are checked when read
//	name of a user    claim of the look, record, confirmation: a claim in the way is compared with the record
//	session           the way from its id to its user, then the session
//	end of sessions   the sessions, then word to all nodes by the control stream; a node that missed
//	                  it finds out when it next refreshes its sessions: that they have ended is stored
//	ban               the ban, with word to all nodes, then the end of the sessions
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
// With Replicas, people see nothing that is not at the replicas: neither an acknowledgement, nor the
// message, nor a page of history, nor that another epoch has begun. A failover to one of those
// replicas then loses nothing that anybody has seen. For that, the append script does not ring: the
// node does, after WAIT. And what a node reads for people it reads on a connection on which WAIT
// follows; also memberships and users are stored like that. A master that was stopped and goes
// on after another one has taken over finds no replica, so that nothing which it still answers is
// believed. Only the position at which somebody begins to hear a conversation may be of a change
// or an epoch that is not safe yet, as nobody waits for replicas to join a room: if that is lost, a
// new epoch begins. Where a primary has had too few replicas
// for 30 s, people see what it has, instead of nothing, and only messages wait: they are not
// acknowledged. WAIT says how many there are: one that is connected and was stopped does not count.
// Who comes and goes is told at once, and told again if no replica has heard of it; what was told
// in the last minute also after connections broke.
//
// What the settings of a server cannot give is refused when the engine is opened. The settings are
// read again every quarter of Config.PresenceTTL, as a server that took over may have others: while
// those of a primary do not fit, nothing is stored there, and Healthy says why. What is wrong with one
// server of a cluster changes nothing for the conversations of the others. A message that was stored and did not become safe
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
// A failover may also lose that an epoch has begun. So epochs have an order (epoch.go): each is the
// time at which it began, and at least 1 ms later than all epochs that are known there. This is
// where they are:
//
//	made      by the scripts append.lua and check.lua, with epoch.lua, for one conversation; in Go for all of an
//	          empty Redis (store.beginEpoch), and for a partition that has none (store.mark)
//	stored    in the tail of each conversation; as "#" for those of a partition that have none yet; in the key
//	          epoch; and in hints, only to be compared
//	compared  by the scripts, with that of the position that the node knows; by doorbell.Node, for equality;
//	          and where the result of an append is told
//	told      to receivers by Subscribe, Lost and Deliver; to callers by Append, Tail, Changes and History
//
// And these are the rules. A node that learns of another epoch, in whatever way, asks Check before
// it tells anybody. If the epoch that the node was in is later than the stored one, that has been
// lost: Check begins one that is later than both, and so does an append. Otherwise the stored one
// counts. So no node ever goes back to an epoch that it has left, and neither does anybody who is
// connected to it. What Check returns is at the replicas that Config.Ack asks for, so that the next
// failover does not lose it, and nodes agree. An append whose result is of an earlier epoch than
// its node has been told meanwhile has chat.ErrOutcomeUnknown, and a page of history like that is read
// again. What is of an earlier epoch than a result or a page is not given to the receiver any more,
// even if its node has not noticed anything else yet (doorbell.Node.Result).
//
// Earlier versions make epochs that have no order. They count as earlier than all others: where
// both versions run, a conversation may begin one more epoch than it must, and never goes back.
//
// A session that Redis has lost, but that has connections, is stored again by the node that has them,
// and so is its last resume (sessions.update). But not if it has ended, or the user is banned or
// deleted: that is stored, for as long as a node may believe that the session was merely lost. An
// end waits for the replicas; the beginning of a session does not, as there is still the token.
//
// A resume that is done after the client has given it up and has been answered elsewhere does not
// take the session away: all keys that were given out for one key are good until one is used.
//
// # Nodes that die
//
// A node sends one heartbeat for everybody who is connected to it, every eighth of
// Config.PresenceTTL, on a connection of its own. One that was silent for half of it, by the clock
// of Redis, is dead: nobody counts as present because of it. The node that finds out, with its next
// heartbeat, removes what the dead one had, and tells who has left. So a node that dies is gone
// within Config.PresenceTTL. One that was only slow registers again under another id. A time in
// which Redis heard nobody, as it was away, is held against no node.
//
// A heartbeat reads which nodes there are. If there are 100, that takes Redis as long as 3 messages
// (BenchmarkHeartbeat), and with the default of 12 s they send 67 a second: about a hundredth of a
// core.
//
// # Another process
//
// On the same machine, another process may take over a node (chat.Takeover): it opens the engine with
// Config.Inherit. It is the node then, under the same id, so that presence and sessions stay as they are stored. Nothing is
// read for that while clients wait: the old process hands over where it stands in each conversation and
// inbox, who is connected, and what it knows of sessions. The new one subscribes after that, and looks at everything that
// nobody has heard in between, as after a connection has broken. The old one sends the node's heartbeats until it knows
// that the new one has taken over, however long that takes. freeze.go and inherit.go are the two sides.
//
// # What it costs
//
// Measured with Redis 7.0 on two cores of an AMD EPYC, by
//
//	go test -run '^$' -bench 'Publish|Memory|Channels|Probe' ./chat/redis
//
// Times are for comparison. The machine was very busy, and nothing is given in µs that can be given
// in plain scripts: GET, HINCRBY, XADD, SET and SPUBLISH with 300 bytes, which the benchmark runs beside
// the engine. A plain script takes 10 to 12 µs when the machine is quiet, and took 20 to 25 here without
// a file, 35 to 45 with appendfsync always. The ratios are medians of up to eleven runs, which differed
// by a third.
//
//	                                                appendfsync always   without a file
//	a message of 300 bytes, beside others            1.2                  1.35 plain scripts
//	4 messages to a conversation at a time, each     0.6                  0.75
//	16 messages to a conversation at a time, each    0.45                 0.6
//
//	a node that hears a message                     0.3 more for each of 10; 0.4 to 1.7 for each of 100, which share two cores with Redis here
//	memory of a message of 300 bytes                358 B; and 167 B for its ref, for an hour
//	memory of a room with one short message         489 B; 217 B when the message is gone
//	a channel that a node listens to                218 B in Redis, 0.8 KB in the node, 3 to 5 µs of Redis to begin
//	a probe of 100,000 conversations                75 ms of Redis, 145 ms of the node, every 10 s
//	a node of 100,000 conversations, idle           1 % of a core of Redis, 2.5 to 3 % of the node (BenchmarkIdle)
//
// Beside others means that up to eight conversations are in one call. In a cluster, each has its own:
// then a message takes about 0.3 plain scripts more.
//
// Each conversation has a channel of its own, although a channel for each of the 4,096 partitions
// would be cheaper to begin: 0.17 µs and 9 B for each of 100,000 conversations. But with one
// for a partition, a node with as many conversations hears everything that anybody says anywhere.
// That takes Redis about 0.6 plain scripts for each node: with 100, sixty plain scripts for each
// message, where perhaps three nodes have members. So 1,000,000 conversations, each heard
// by three nodes, take 650 MB of Redis and 2.4 GB of the nodes. A node with 100,000 of them that
// was cut off takes 0.3 to 0.5 s of Redis to come back, in pipelines of 256, among which others have
// their turn; 100 nodes that come back together take 30 s of one Redis, or 1.5 s of each of 20.
//
// # A large service, on paper
//
// 10,000,000 connections and 500,000 messages of 300 bytes a second, which are not yet measured
// anywhere, with plain scripts of 11 µs:
//
//	nodes            100, with 100,000 connections each: 0.3 GB for connections (2.1 KB each) and 0.1 GB for channels
//	messages         500,000 × 1.5 × 11 µs = 8.3 cores of Redis, a cluster, if each is alone in its call
//	hearing          with 5 nodes each: 500,000 × 5 × 0.3 × 11 µs = 8.3 cores
//	probes           100 nodes × 25 ms in 10 s = 0.25 cores
//	primaries        17 cores at 60 % are 28, each with a replica
//	memory           10,000,000 user channels × 218 B = 2.2 GB; refs 167 B × 500,000 × 3,600 s = 300 GB
//	bandwidth        500,000 × 0.9 KB in = 3.6 Gbit/s, and as much to the replicas; out 5 × 500,000 × 0.5 KB = 10 Gbit/s
//	disk             with appendonly: 500,000 × 0.7 KB = 350 MB/s, over 28 servers
//
// What breaks first is the memory of the refs: with a lifetime of a minute (Config.RefLifetime)
// they take 5 GB. Then a single very large room: all its messages are in one slot, one core of one
// server, and each is heard by every node: 100 × 0.6 × 11 µs = 660 µs, so 1,500 messages a second
// at most, and fewer if it shares the server. Then the list of rooms and the heartbeats, which are
// in one slot each: 100 heartbeats in 1.5 s and the rooms with messages, once in half a second
// and node, which is 1 or 2 µs a room. A service that needs more than that divides its rooms
// among several engines.
//
// Read keys.go, store.go, append.go with scripts/append.lua, and read.go; then broker.go, hear.go, node.go,
// listener.go with link.go, roster.go with rosterqueue.go, and registry.go; then sessions.go and refresh.go.
package redis
