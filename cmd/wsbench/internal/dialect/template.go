package dialect

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Vars are the values of a template's variables for one connection.
type Vars struct {
	Conn  uint32   // {{conn}}: the connection's number
	Rooms []string // those that it joins, at least one
	Room  string   // {{room}}: the one at hand, otherwise the first of them
	Token string   // {{token}}
	ID    uint32   // {{id}}: raised by one for each thing that is sent

	// What Remember found.
	Session, Key string   // {{session}}, {{key}}: empty without a session
	positions    []string // {{positions}}: an object in JSON, by room. In the order of Rooms.
}

type variable uint8

const (
	literal variable = iota
	varConn
	varRoom
	varToken
	varID
	varPayload
	varSession
	varKey
	varPositions
)

var variables = map[string]variable{"conn": varConn, "room": varRoom, "token": varToken, "id": varID, "payload": varPayload, "session": varSession, "key": varKey, "positions": varPositions}

type piece struct {
	kind variable
	text string
}

// template is text with {{names}} in it.
type template []piece

func parseTemplate(s string) (t template, err error) {
	for {
		before, rest, found := strings.Cut(s, "{{")
		if before != "" {
			t = append(t, piece{literal, before})
		}
		if !found {
			return t, nil
		}
		name, after, closed := strings.Cut(rest, "}}")
		kind, known := variables[strings.TrimSpace(name)]
		if !closed || !known {
			return nil, fmt.Errorf("{{%.20s is none of {{conn}}, {{room}}, {{token}}, {{id}}, {{payload}}, {{session}}, {{key}}, {{positions}}", rest)
		}
		t = append(t, piece{kind: kind})
		s = after
	}
}

func (t template) has(kind variable) bool {
	for _, p := range t {
		if p.kind == kind {
			return true
		}
	}
	return false
}

func (t template) append(dst []byte, v *Vars, payload []byte) []byte {
	for _, p := range t {
		switch p.kind {
		case literal:
			dst = append(dst, p.text...)
		case varConn:
			dst = strconv.AppendUint(dst, uint64(v.Conn), 10)
		case varRoom:
			dst = append(dst, v.Room...)
		case varToken:
			dst = append(dst, v.Token...)
		case varID:
			dst = strconv.AppendUint(dst, uint64(v.ID), 10)
		case varPayload:
			dst = append(dst, payload...)
		case varSession:
			dst = append(dst, v.Session...)
		case varKey:
			dst = append(dst, v.Key...)
		case varPositions:
			dst = v.appendPositions(dst)
		}
	}
	return dst
}

func (v *Vars) appendPositions(dst []byte) []byte {
	dst = append(dst, '{')
	for i, position := range v.positions {
		if position == "" {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, v.Rooms[i]...)
		dst = append(dst, `":"`...)
		dst = append(dst, position...)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// Remember keeps what an answer has that is needed to resume the session.
func (d *Dialect) Remember(p []byte, v *Vars) {
	if d.begin == len(d.open) {
		return
	}
	if id := quoted(p, d.session.id); id != "" {
		v.Session = id
	}
	if key := quoted(p, d.session.key); key != "" {
		v.Key = key
	}
	position := quoted(p, d.session.position)
	if position == "" {
		return
	}
	if v.positions == nil {
		v.positions = make([]string, len(v.Rooms))
	}
	if i := slices.Index(v.Rooms, quoted(p, d.session.room)); i >= 0 {
		v.positions[i] = position
	}
}

// quoted returns what stands between a mark and the next quotation mark.
func quoted(p, mark []byte) string {
	if len(mark) == 0 {
		return ""
	}
	_, rest, found := bytes.Cut(p, mark)
	value, _, closed := bytes.Cut(rest, []byte{'"'})
	if !found || !closed {
		return ""
	}
	return string(value)
}
