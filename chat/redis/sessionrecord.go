package redis

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/hawser-ws/hawser/chat"
)

// sessionRecord is a session as it is stored, in JSON. Fields that are not known here stay.
type sessionRecord struct {
	User     string         `json:"user"`
	Key      []byte         `json:"key"`
	Before   []byte         `json:"before,omitempty"` // the key that is still good, until Key is used
	Rivals   *rivals        `json:"rivals,omitempty"`
	Role     string         `json:"role,omitempty"`
	Features []string       `json:"features,omitempty"`
	Address  string         `json:"address,omitempty"`
	Device   string         `json:"device,omitempty"`
	Began    int64          `json:"began"`
	Seen     int64          `json:"seen"`
	Expires  int64          `json:"expires,omitempty"`
	Resumed  int64          `json:"resumed,omitempty"` // when it was resumed the last time
	Until    int64          `json:"until"`             // it is alive until then, also without a connection
	Open     map[string]int `json:"open,omitempty"`    // connections by process

	unknown map[string]json.RawMessage
}

var sessionFields = []string{"user", "key", "before", "rivals", "role", "features", "address", "device", "began", "seen", "expires", "resumed", "until", "open"}

func parseSession(text string) (r sessionRecord, err error) {
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(text), &r.unknown); err != nil {
		return r, err
	}
	maps.DeleteFunc(r.unknown, func(name string, _ json.RawMessage) bool { return slices.Contains(sessionFields, name) })
	return r, nil
}

func (r *sessionRecord) String() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic("chat/redis: internal error: " + err.Error())
	}
	if len(r.unknown) == 0 {
		return string(text)
	}
	more, err := json.Marshal(r.unknown)
	if err != nil {
		panic("chat/redis: internal error: " + err.Error())
	}
	return string(text[:len(text)-1]) + "," + string(more[1:])
}

// rivals are keys that were given out for the same key as the newest one, and of which none was used
// so far. A client whose answer was lost asks again, at another node perhaps; and what it had
// asked before may be done after that, by a node that was stopped meanwhile. So each of them may be
// the one that the client has.
type rivals struct {
	Of   []byte   `json:"of"` // the key for which they were given out: otherwise they are old
	Keys [][]byte `json:"keys"`
}

// maxRivals bounds how many there are: the older ones are given up.
const maxRivals = 3

// unlock reports whether a key is good, and takes note that it was used.
func (r *sessionRecord) unlock(key chat.KeyHash) bool {
	is := func(other []byte) bool { return bytes.Equal(key[:], other) }
	rivaling := r.Rivals != nil && bytes.Equal(r.Rivals.Of, r.Before)
	switch {
	case key == chat.KeyHash{}:
		return false
	case is(r.Key), rivaling && slices.ContainsFunc(r.Rivals.Keys, is):
		r.Before, r.Rivals = key[:], nil
		return true
	case !is(r.Before):
		return false
	}
	keys := [][]byte{r.Key}
	if rivaling {
		keys = append(slices.Clone(r.Rivals.Keys), r.Key)
	}
	r.Rivals = &rivals{Of: r.Before, Keys: keys[max(0, len(keys)-maxRivals):]}
	return true
}

// session is the session with an id. Connections of processes that are not alive do not count.
func (r *sessionRecord) session(id string, alive func(process string) bool) chat.Session {
	s := chat.Session{
		ID: id, UserID: r.User, Role: r.Role, Features: slices.Clone(r.Features), From: chat.Origin{Address: r.Address, Device: r.Device},
		Began: r.Began, Seen: r.Seen, Expires: r.Expires, Open: r.open(alive),
	}
	copy(s.Key[:], r.Key)
	return s
}

func (r *sessionRecord) open(alive func(process string) bool) (n int) {
	for process, connections := range r.Open {
		if alive(process) {
			n += connections
		}
	}
	return n
}

// expired reports whether the session is over.
func (r *sessionRecord) expired(now int64, alive func(process string) bool) bool {
	return r.Expires > 0 && now >= r.Expires || now >= r.Until && r.open(alive) == 0
}

// count changes the number of connections of a process.
func (r *sessionRecord) count(process string, n int) {
	r.Open = maps.Clone(r.Open)
	if r.Open == nil {
		r.Open = make(map[string]int)
	}
	if r.Open[process] += n; r.Open[process] <= 0 {
		delete(r.Open, process)
	}
}
