package redis

import (
	"crypto/sha256"
	"encoding/base64"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/chat"
)

// Partitions is how many partitions conversations and users fall into. It must never change: it
// decides where they are stored.
const Partitions = 4096

// keys names what is stored. All keys of a partition have its hash tag, and so are in one slot.
type keys struct{ prefix string }

func partition(name string) int {
	h := fnv.New64a()
	h.Write([]byte(name))
	n := h.Sum64()
	return int((n ^ n>>32) % Partitions)
}

// in is the beginning of the keys of a partition, but for the kind.
func (k keys) in(partition int) string {
	return k.prefix + "{" + strconv.Itoa(partition) + "}"
}

func (k keys) of(name string) string { return k.in(partition(name)) }

// Of conversations.
func (k keys) tails(partition int) string          { return k.in(partition) + "t" }
func (k keys) log(c chat.Conversation) string      { return k.of(string(c)) + "s" + string(c) }
func (k keys) channel(c chat.Conversation) string  { return k.log(c) }
func (k keys) tailsOf(c chat.Conversation) string  { return k.tails(partition(string(c))) }
func (k keys) present(c chat.Conversation) string  { return k.of(string(c)) + "z" + string(c) }
func (k keys) presence(c chat.Conversation) string { return k.of(string(c)) + "p" + string(c) }

// ref is the key of a sender's ref in a conversation.
func (k keys) ref(c chat.Conversation, sender, ref string) string {
	sum := sha256.Sum256([]byte(string(c) + "\x00" + sender + "\x00" + ref))
	return k.of(string(c)) + "r" + base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Of users.
func (k keys) user(id string) string        { return k.of(id) + "u" + id }
func (k keys) hints(partition int) string   { return k.in(partition) + "h" }
func (k keys) inbox(id string) string       { return k.of(id) + "i" + id }
func (k keys) talks(id string) string       { return k.of(id) + "l" + id }
func (k keys) online(id string) string      { return k.of(id) + "o" + id }
func (k keys) userChannel(id string) string { return k.of(id) + "d" + id }

func (k keys) memberships(user string) string { return k.of(user) + "m" + user }
func (k keys) members(room string) string {
	return k.of(chat.RoomPrefix+room) + "m" + chat.RoomPrefix + room
}
func (k keys) sessions(user string) string        { return k.of(user) + "e" + user }
func (k keys) endedSessions(user string) string   { return k.of(user) + "g" + user }
func (k keys) sessionChecks(partition int) string { return k.in(partition) + "e" }
func (k keys) sessionUser(id string) string       { return k.of(id) + "w" + id }

// look is the key of a look of names.
func (k keys) look(name string) string {
	look := chat.LookOf(name)
	return k.of(look) + "k" + look
}

// Of nodes.
func (k keys) ofNode(partition int, node string) string { return k.in(partition) + "n" + node }
func (k keys) moves(partition int) string               { return k.in(partition) + "v" }
func (k keys) probe(partition int, node string) string  { return k.in(partition) + "q" + node }

// touched is a key in the slot of another one.
func (k keys) touched(key string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(key, k.prefix), "{")
	tag, _, _ := strings.Cut(rest, "}")
	return k.prefix + "{" + tag + "}y"
}

// Of the whole engine, each in a slot of its own.
func (k keys) epoch() string { return k.prefix + "epoch" }
func (k keys) rooms() string { return k.prefix + "rooms" }
func (k keys) nodes() string { return k.prefix + "nodes" }

// The stream that every node reads, and the channel that tells that there is something in it.
func (k keys) control() string        { return k.prefix + "{0}control" }
func (k keys) controlChannel() string { return k.prefix + "{0}x" }
func (k keys) bans() string           { return k.prefix + "{0}bans" }
