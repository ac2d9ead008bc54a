package dialect

import (
	"fmt"
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
}

type variable uint8

const (
	literal variable = iota
	varConn
	varRoom
	varToken
	varID
	varPayload
)

var variables = map[string]variable{"conn": varConn, "room": varRoom, "token": varToken, "id": varID, "payload": varPayload}

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
			return nil, fmt.Errorf("{{%.20s is none of {{conn}}, {{room}}, {{token}}, {{id}}, {{payload}}", rest)
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
		}
	}
	return dst
}
