package chat

import (
	"strconv"
	"unicode/utf8"
)

// Messages are built by appending. Each is encoded once, and metadata is copied byte for
// byte; encoding/json would compact it.

// appendChange appends a change of c in the form in which its members receive it.
func appendChange(dst []byte, c Conversation, ch *Change) []byte {
	dst = appendMessage(dst, c, ch.Message, ch.ID, ch.Seq, ch.Epoch)
	dst = appendPositionField(dst, position{epoch: ch.Epoch, change: ch.Number, tag: ch.Tag})
	return append(dst, '}')
}

// appendStored appends a message of c as history has it.
func appendStored(dst []byte, c Conversation, m *Stored, epoch string) []byte {
	return append(appendMessage(dst, c, &m.Message, m.ID, m.Seq, epoch), '}')
}

// appendMessage appends a message without the brace that ends it.
func appendMessage(dst []byte, c Conversation, m *Message, id string, seq uint64, epoch string) []byte {
	if _, ok := c.Room(); ok {
		dst = append(dst, `{"type":"group","timestamp":`...)
	} else {
		dst = append(dst, `{"type":"message","timestamp":`...)
	}
	dst = append(dst, m.Timestamp...)
	dst = appendStringField(dst, "sender_id", m.Sender)
	dst = appendStringField(dst, "receiver_id", c.Receiver(m.Sender))
	dst = appendStringField(dst, "content", m.Content)
	dst = append(dst, `,"metadata":`...)
	dst = append(dst, m.Metadata...)
	dst = appendStringField(dst, "id", id)
	dst = appendIntField(dst, "seq", int64(seq))
	dst = appendStringField(dst, "epoch", epoch)
	dst = appendIntField(dst, "server_ts", m.ServerTS)
	return appendStringField(dst, "sender_name", m.SenderName)
}

// ack is an acknowledgement. id is empty for a join or leave.
type ack struct {
	op       string
	receiver string
	id       string
	seq      uint64
	epoch    string
	position position // of the room, after a join, leave or unsubscribe
	serverTS int64
}

func (a *ack) appendJSON(dst []byte, ref string) []byte {
	dst = append(dst, `{"type":"ack"`...)
	dst = appendStringField(dst, "op", a.op)
	dst = appendStringField(dst, "receiver_id", a.receiver)
	if a.id != "" {
		dst = appendStringField(dst, "id", a.id)
	}
	dst = appendIntField(dst, "seq", int64(a.seq))
	dst = appendStringField(dst, "epoch", a.epoch)
	if a.id == "" {
		dst = appendPositionField(dst, a.position)
	}
	dst = appendIntField(dst, "server_ts", a.serverTS)
	return appendRefAndClose(dst, ref)
}

// appendSystem appends a system message. user is nil if the event is not about a user.
func appendSystem(dst []byte, event, room, content string, user *User, now int64) []byte {
	dst = append(dst, `{"type":"system","timestamp":`...)
	dst = appendSeconds(dst, now)
	dst = append(dst, `,"sender_id":"system"`...)
	dst = appendStringField(dst, "receiver_id", room)
	dst = appendStringField(dst, "content", content)
	dst = append(dst, `,"metadata":{}`...)
	dst = appendStringField(dst, "event", event)
	if user != nil {
		dst = appendStringField(dst, "user_id", user.ID)
		dst = appendStringField(dst, "name", user.Name)
	}
	dst = appendIntField(dst, "server_ts", now)
	return append(dst, '}')
}

// appendReload appends the notice that the history of a conversation has been replaced.
func appendReload(dst []byte, receiver string, t *Tail, now int64) []byte {
	dst = appendSystem(dst, "reload", receiver, "The history of this conversation has changed", nil, now)
	dst = appendStringField(dst[:len(dst)-1], "epoch", t.Epoch)
	dst = appendIntField(dst, "seq", int64(t.Seq))
	dst = appendPositionField(dst, t.position())
	return append(dst, '}')
}

// appendExpiring appends the notice that a connection's token expires, at a time in ms.
func appendExpiring(dst []byte, expires, now int64) []byte {
	dst = appendSystem(dst, "token_expiring", "", "Your token expires soon", nil, now)
	dst = appendIntField(dst[:len(dst)-1], "token_expires", expires/1000)
	return append(dst, '}')
}

func appendHeartbeat(dst []byte, now int64, ref string) []byte {
	dst = append(dst, `{"type":"heartbeat","timestamp":`...)
	dst = appendSeconds(dst, now)
	dst = appendIntField(dst, "server_ts", now)
	return appendRefAndClose(dst, ref)
}

// appendSeconds appends a time in milliseconds as seconds.
func appendSeconds(dst []byte, ms int64) []byte {
	return strconv.AppendFloat(dst, float64(ms)/1000, 'f', 3, 64)
}

func appendRefAndClose(dst []byte, ref string) []byte {
	if ref != "" {
		dst = appendStringField(dst, "ref", ref)
	}
	return append(dst, '}')
}

func appendStringField(dst []byte, name, value string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return appendString(dst, value)
}

func appendIntField(dst []byte, name string, value int64) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return strconv.AppendInt(dst, value, 10)
}

func appendBoolField(dst []byte, name string, value bool) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return strconv.AppendBool(dst, value)
}

// appendString appends s as a JSON string (RFC 8259 §7). s is UTF-8: it comes from a text
// message, or is our own.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0 // what comes before has been appended
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[from:i]...)
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c >= utf8.RuneSelf:
			dst = utf8.AppendRune(dst, utf8.RuneError) // the output must be UTF-8
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

// plain says which bytes stand for themselves in a JSON string.
var plain = func() (set [256]bool) {
	for c := byte(' '); c < 0x7F; c++ {
		set[c] = c != '"' && c != '\\'
	}
	return set
}()
