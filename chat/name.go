package chat

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxRoomName = 64 // bytes
	maxUserID   = 64 // bytes

	// MaxName is the length of a display name in code points.
	MaxName = 32

	// userPrefix begins every user id and no room name, so that an id alone says
	// which of the two it is.
	userPrefix = "u_"
)

// ValidRoom reports whether name can be a room: 1 to 64 of A–Z a–z 0–9 _ - .
// that do not begin with "u_".
func ValidRoom(name string) bool {
	return validID(name, maxRoomName) && !strings.HasPrefix(name, userPrefix)
}

// ValidUserID reports whether id can be a user: "u_" and then up to 62 of
// A–Z a–z 0–9 _ - . characters, at least one.
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

// CleanName returns a display name without the white space around it, or an
// error that says what is wrong with it: it has 1 to 32 code points, and none that
// is invisible, ends a line or changes the direction of writing.
func CleanName(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", errors.New("the name is not UTF-8")
	}
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > MaxName {
		return "", fmt.Errorf("the name has %d characters; 1 to %d are allowed", n, MaxName)
	}
	visible := false
	for _, r := range name {
		// The joiners are invisible too, but Persian, Hindi and emoji need them.
		if !unicode.IsGraphic(r) && r != '\u200c' && r != '\u200d' {
			return "", fmt.Errorf("the name contains the character %U, which cannot be shown", r)
		}
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) {
			visible = true
		}
	}
	if !visible {
		return "", errors.New("the name has no visible character")
	}
	return name, nil
}

// Conversation names a sequence of messages: "r:" and a room, or "p:" and two user
// ids in byte order with a colon between them. No id contains a colon.
type Conversation string

// RoomPrefix begins the Conversation of every room.
const RoomPrefix = "r:"

const privatePrefix = "p:"

// RoomConversation is the conversation of a room.
func RoomConversation(room string) Conversation { return Conversation(RoomPrefix + room) }

// PrivateConversation is the conversation of two users, the same for (a, b) and (b, a).
func PrivateConversation(a, b string) Conversation {
	if b < a {
		a, b = b, a
	}
	return Conversation(privatePrefix + a + ":" + b)
}

// Room is the room's name; ok is false for a private conversation.
func (c Conversation) Room() (name string, ok bool) {
	return strings.CutPrefix(string(c), RoomPrefix)
}

// Users are the two people of a private conversation; ok is false for a room's.
func (c Conversation) Users() (a, b string, ok bool) {
	pair, ok := strings.CutPrefix(string(c), privatePrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(pair, ":")
}

// Receiver is the receiver_id of a message that sender sends in c: the room, or
// the other person.
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
