package chat

import (
	"strconv"
	"strings"
)

const (
	maxRoomName = 64 // bytes
	maxUserID   = 64 // bytes

	// userPrefix begins every user id but no room name, so that an id alone shows which of
	// the two it is.
	userPrefix = "u_"
)

// ValidRoom reports whether name is a valid room name: 1 to 64 of A–Z a–z 0–9 _ - . that do
// not begin with "u_".
func ValidRoom(name string) bool {
	return validID(name, maxRoomName) && !strings.HasPrefix(name, userPrefix)
}

// ValidUserID reports whether id is a valid user id: "u_" followed by 1 to 62 of A–Z a–z 0–9
// _ - .
func ValidUserID(id string) bool {
	return validID(id, maxUserID) && strings.HasPrefix(id, userPrefix) && len(id) > len(userPrefix)
}

func validID(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}

// Conversation names a sequence of messages: "r:" and a room, or "p:" and two user
// ids in byte order with a colon between them. No id contains a colon.
type Conversation string

// MessageID returns an id for a message, for engines. It is unique if epochs are, and if the
// engine's numbers of conversations are within an epoch.
func MessageID(epoch string, conversation, seq uint64) string {
	return epoch + "-" + strconv.FormatUint(conversation, 36) + "-" + strconv.FormatUint(seq, 36)
}

// RoomPrefix begins the Conversation of every room.
const RoomPrefix = "r:"

const privatePrefix = "p:"

// RoomConversation returns the conversation of a room.
func RoomConversation(room string) Conversation { return Conversation(RoomPrefix + room) }

// PrivateConversation returns the conversation of two users: the same for (a, b) and (b, a).
func PrivateConversation(a, b string) Conversation {
	if b < a {
		a, b = b, a
	}
	return Conversation(privatePrefix + a + ":" + b)
}

// Room returns the room's name; ok is false for a private conversation.
func (c Conversation) Room() (name string, ok bool) {
	return strings.CutPrefix(string(c), RoomPrefix)
}

// Users returns the two users of a private conversation; ok is false for a room.
func (c Conversation) Users() (a, b string, ok bool) {
	pair, ok := strings.CutPrefix(string(c), privatePrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(pair, ":")
}

// Receiver returns the receiver_id of a message that sender sends in c: the room, or the
// other user.
func (c Conversation) Receiver(sender string) string {
	if a, b, ok := c.Users(); ok {
		if a == sender {
			return b
		}
		return a
	}
	name, _ := c.Room()
	return name
}
