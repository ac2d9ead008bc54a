// Package bolt is a chat engine in one file, on go.etcd.io/bbolt.
//
// It knows how messages, rooms and users are stored on disk, but not who may see them. Only
// one process at a time can have the file open. chat.db contains everything except the key of
// the users' tokens; a backup contains that as well.
//
//	bucket         key                       value, after a checksum (record.go)
//	meta           "format"                  "3", without a checksum
//	               "epoch"                   13 letters and digits
//	               "checkpoint"              the position in the log up to which the index goes
//	               "migrated"                the position up to which a migration wrote the log
//	               "refs"                    keys the hashes of refs
//	               "looks"                   the chat.LookVersion of the bucket looks
//	               "key"                     names the key of the users' tokens
//	log            position                  what happened, in the order in which it was stored
//	batches        position                  once more, without contents: since the checkpoint
//	conversations  chat.Conversation         number, last change, where the last changes are
//	index          number, block             where 64 changes of a conversation are in the log
//	steps          number, seq               nothing: the clock went back before this message
//	runs           run                       of refs: how many, and how new (refs.go)
//	refs           run, hash                 a part of a run
//	peers          user 00 peer              nothing
//	users          id                        a user
//	looks          look, name 00 id          nothing: users by what their names look like (looks.go)
//	memberships    user 00 room              since when, and a role (memberrecord.go)
//	members        room 00 user              the same
//	joins          1, 2, 3 …                 how memberships have changed since these two were written
//	sessions       began, id                 a session (sessions.go)
//	bans           user or network           the ban (bans.go)
//	backup         "state", "token.key"      only in a backup (backup.go)
//
// Keys that are numbers have 8 bytes each, big-endian, so that they sort as they count. A
// conversation's number is made with it. A message's id is the epoch, the number and the
// seq, and is not stored.
//
// # One write for a message
//
// A message goes to the end of the log. All else that finds it, from its place in the conversation
// to its ref, is in memory until the next checkpoint writes it for thousands of messages at a time
// (checkpoint.go), and is read from the batches when the file is opened (load.go). So a transaction
// writes a few full pages, however many rooms it concerns. The log is also the feed of everything
// that happens: a reader that remembers a position continues from there. Every record in it begins
// with its kind.
//
// # What goes along
//
// Logging in and joining a room do not wait for the disk. A membership is in memory at first, and
// is written with the next transaction, whatever its purpose: so a message sent after a join is
// never on disk before the join. A session is written with a transaction after half a second. If
// there is no other transaction by then, these changes get one of their own. A crash loses newer
// ones. When the file is opened, a guest who has no session left is no longer a member.
//
// Bans and deletions are durable when they return. So are the ends of memberships and sessions that
// a deletion causes.
//
// # Damage
//
// A record whose checksum does not match is not used. A damaged message is named in the page that
// it is missing from, counted, and logged once; the messages around it are read as usual. If a
// conversation or user may be missing, none of that name or id is created, and if the newest
// transaction may be missing, a new epoch begins. A damaged membership or session counts as none; a
// user whose ban is damaged stays banned.
//
// A read never closes the store for writing. A damaged page does so if a transaction has to write
// it. So does anything that is missing when the file is opened and could cause messages to be
// stored twice, or in the place of others. If the messages since the checkpoint cannot all be read
// then, the rest can be, in an epoch of its own.
//
// bbolt itself follows whatever a page says, so pages that would lead it astray keep the
// file from being opened (pages.go). [Check] reads everything, without bbolt.
//
// # Formats
//
// A file of format 2, which has no memberships, sessions and bans, and whose users are all
// guests, is converted in place, in one transaction, when it is opened. An older program then refuses
// it. One of format 1 is migrated in a second file (migrate.go).
//
// A restored backup has the sessions, bans and memberships that it was made with.
//
// Read store.go and file.go for opening, commit.go and append.go for writing, checkpoint.go for what is
// written later, read.go, history.go and latest.go for reading, members.go and sessions.go for
// memberships and sessions, migrate.go for files of format 1, backup.go and check.go for backups.
package bolt
