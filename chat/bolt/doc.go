// Package bolt is a chat.Store in one file, on go.etcd.io/bbolt.
//
// It knows how messages, rooms and users lie on disk, and nothing of who may see
// them. One process at a time has the file open; chat.db holds everything but the key
// of the users' tokens, which its backup holds as well.
//
//	bucket         key                       value
//	meta           "format"                  "1"
//	               "epoch"                   13 letters and digits
//	               "last"                    server_ts of the last message stored
//	               "looks"                   the chat.LookVersion of the bucket looks
//	               "key"                     names the key of the users' tokens
//	backup         "state", "token.key"      only in a backup (backup.go)
//	conversations  chat.Conversation         number, last seq, last server_ts
//	messages       number, seq               a record (record.go)
//	peers          user 00 peer              empty
//	users          id                        a record
//	looks          look, name 00 id          empty: users by what their names look like (looks.go)
//	refs           day                       a bucket: number, sender 00 ref → seq, server_ts
//	steps          number, seq               empty: the clock went back before this message
//
// Numbers are 8 bytes, big-endian, so that keys sort as they count. A
// conversation's number is made with it. A message's id is the epoch, the number
// and the seq, and is not stored. Refs lie in one bucket for each day, so that
// forgetting them needs no index. The rooms in the order of their last messages
// are in memory only (recent.go), read when the file is opened.
//
// Read store.go for opening, commit.go for writing, read.go for reading, backup.go
// and verify.go for backups.
package bolt
