package chat

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// maxPositions is the maximum number of conversations that a client may name in auth.
const maxPositions = 1000

// resumeFields are what a client says that it holds.
type resumeFields struct {
	held  []heldPosition
	since *int64 // server_ts of the newest that the client has seen; nil: not given
}

type heldPosition struct {
	receiver, position string

	live bool // a room that the connection hears, because nothing was missed in it; of the catchUp
}

// resume reads the field of this name; nil if it is absent.
func (f *fields) resume() *resumeFields {
	if !f.has(fieldResume, kindObject) {
		return nil
	}
	r := new(resumeFields)
	inner := fields{limits: f.limits}
	var positions []byte
	fail := scanMembers(f.raw[fieldResume], func(name, value []byte) *Failure {
		switch string(name) {
		case "positions":
			if positions != nil {
				return &Failure{Code: 400, Reason: "duplicate_field", Message: "resume: positions occurs twice", Field: "resume"}
			}
			positions = value
		case fieldSince.String():
			return inner.take(name, value)
		}
		return nil
	})
	inner.dropNulls()
	r.since = inner.integer(fieldSince)
	if fail == nil {
		fail = inner.fail
	}
	if fail == nil && positions != nil && kindOf(positions) != kindNull {
		fail = r.readPositions(positions)
	}
	if fail != nil {
		f.refuse(fail)
	}
	return r
}

func (r *resumeFields) readPositions(text []byte) *Failure {
	if k := kindOf(text); k != kindObject {
		return wrongPositions("positions is " + k.String() + ", not an object")
	}
	r.held = make([]heldPosition, 0, min(bytes.Count(text, []byte{':'}), 64))
	// The names and positions are parts of one copy. A slice's capacity says where it begins.
	whole := string(text)
	part := func(p []byte) string {
		at := cap(text) - cap(p)
		return whole[at : at+len(p)]
	}
	fail := scanMembers(text, func(name, value []byte) *Failure {
		receiver := part(name)
		if strings.IndexByte(receiver, '\\') >= 0 {
			receiver = nameOf(name)
		}
		switch {
		case !ValidRoom(receiver) && !ValidUserID(receiver):
			return wrongPositions(fmt.Sprintf("positions: %.64q is neither a room nor a user_id", receiver))
		case kindOf(value) != kindString:
			return wrongPositions(fmt.Sprintf("positions: that of %s is %s, not a string", receiver, kindOf(value)))
		case len(r.held) == maxPositions:
			return &Failure{Code: 400, Reason: "resume_too_long", Message: fmt.Sprintf("positions has more than %d members", maxPositions), Field: "resume"}
		}
		position := part(value[1 : len(value)-1])
		if strings.IndexByte(position, '\\') >= 0 {
			position = unquote(value)
		}
		r.held = append(r.held, heldPosition{receiver: receiver, position: position})
		return nil
	})
	if fail != nil {
		return fail
	}
	names := make([]string, len(r.held))
	for i := range r.held {
		names[i] = r.held[i].receiver
	}
	slices.Sort(names)
	for i := range names {
		if i > 0 && names[i] == names[i-1] {
			return &Failure{Code: 400, Reason: "duplicate_field", Message: "positions: " + names[i] + " occurs twice", Field: "resume"}
		}
	}
	return nil
}

func wrongPositions(what string) *Failure {
	return &Failure{Code: 400, Reason: "wrong_kind", Message: "resume: " + what, Field: "resume"}
}
