package redis

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/doorbell"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// This file is how an engine is written for another process: numbered fields, as package chat writes
// connections. A reader skips those that it does not know. Times are ages, as the processes have
// different clocks, or Redis's.

// handoverVersion is the version of what is written. A field that an older reader can do without needs no
// new one.
const handoverVersion = 1

var errHandover = errors.New("chat/redis: the other process's state makes no sense")

// handedOver is what a process hands over. It leaves out what Redis knows and what cannot change during the
// hand-over.
type handedOver struct {
	node, process string // the ids by which Redis knows them
	registered    bool   // Redis knows the node
	epoch         string
	control       string        // the last entry of the control stream that was read
	deaf          int64         // since when something may not have been heard, by Redis's time in ms
	gapped        bool          // Redis may have lost something that is not told again yet
	refreshed     time.Duration // since the sessions were refreshed
	beat          int64         // frozen.beat

	places   []doorbell.Place
	people   []handedPerson
	untold   []handedMove // what Redis must be told yet
	recent   []move       // what Redis was told lately
	known    map[move]int64
	sessions []handedSession
}

// handedPerson is a person, and an inbox.
type handedPerson struct {
	user  chat.User
	known bool
	rev   int64
	rooms []string // in which Redis has the person by this node, or will have
	inbox doorbell.InboxPlace
}

// handedMove is a presenceChange.
type handedMove struct {
	move
	again, doubted bool
}

// handedSession is a heldSession.
type handedSession struct {
	id, user string
	released int
	seen     int64
	record   string
	sure     time.Duration
}

// The numbers of the fields.
const (
	fieldVersion = iota + 1
	fieldNode
	fieldProcess
	fieldRegistered
	fieldEpoch
	fieldDeaf
	fieldRefreshed
	fieldPlace
	fieldPerson
	fieldUntold
	fieldRecent
	fieldKnown
	fieldSession
	fieldBeat
	fieldControl
	fieldGapped
)

func (h *handedOver) append(dst []byte) []byte {
	dst = snapshot.AppendUintField(dst, fieldVersion, handoverVersion)
	dst = snapshot.AppendStringField(dst, fieldNode, h.node)
	dst = snapshot.AppendStringField(dst, fieldProcess, h.process)
	dst = snapshot.AppendField(dst, fieldRegistered, snapshot.AppendBool(nil, h.registered))
	dst = snapshot.AppendStringField(dst, fieldEpoch, h.epoch)
	dst = snapshot.AppendUintField(dst, fieldDeaf, uint64(h.deaf))
	dst = snapshot.AppendUintField(dst, fieldRefreshed, uint64(h.refreshed))
	dst = snapshot.AppendUintField(dst, fieldBeat, uint64(h.beat))
	dst = snapshot.AppendStringField(dst, fieldControl, h.control)
	dst = snapshot.AppendField(dst, fieldGapped, snapshot.AppendBool(nil, h.gapped))
	var b []byte
	for i := range h.places {
		p := &h.places[i]
		b = snapshot.AppendBool(snapshot.AppendString(b[:0], string(p.Conversation)), p.Subscribed)
		b = appendTail(appendTail(b, p.Tail), p.Told)
		dst = snapshot.AppendField(dst, fieldPlace, snapshot.AppendUint(b, uint64(p.Idle)))
	}
	for i := range h.people {
		b = h.people[i].append(b[:0])
		dst = snapshot.AppendField(dst, fieldPerson, b)
	}
	for _, m := range h.untold {
		b = snapshot.AppendBool(snapshot.AppendBool(appendMove(b[:0], m.move), m.again), m.doubted)
		dst = snapshot.AppendField(dst, fieldUntold, b)
	}
	for _, m := range h.recent {
		b = appendMove(b[:0], m)
		dst = snapshot.AppendField(dst, fieldRecent, b)
	}
	for m, at := range h.known {
		b = snapshot.AppendUint(appendMove(b[:0], m), uint64(at))
		dst = snapshot.AppendField(dst, fieldKnown, b)
	}
	for _, s := range h.sessions {
		b = snapshot.AppendString(snapshot.AppendString(b[:0], s.id), s.user)
		b = snapshot.AppendUint(snapshot.AppendInt(b, s.released), uint64(s.seen))
		b = snapshot.AppendUint(snapshot.AppendString(b, s.record), uint64(s.sure))
		dst = snapshot.AppendField(dst, fieldSession, b)
	}
	return dst
}

func (p *handedPerson) append(b []byte) []byte {
	b = snapshot.AppendString(snapshot.AppendString(b, p.user.ID), p.user.Name)
	b = snapshot.AppendUint(snapshot.AppendUint(b, uint64(p.user.Created)), uint64(p.user.ValidFrom))
	b = snapshot.AppendBool(snapshot.AppendBool(b, p.user.Guest), p.known)
	b = snapshot.AppendUint(b, uint64(p.rev))
	b = snapshot.AppendBool(snapshot.AppendBool(snapshot.AppendUint(b, p.inbox.Last), p.inbox.Started), p.inbox.Again)
	for _, room := range p.rooms { // to the end
		b = snapshot.AppendString(b, room)
	}
	return b
}

func appendTail(b []byte, t chat.Tail) []byte {
	b = snapshot.AppendUint(snapshot.AppendUint(b, t.Seq), t.Change)
	b = snapshot.AppendUint(snapshot.AppendUint(b, uint64(t.Tag)), uint64(t.ServerTS))
	return snapshot.AppendString(b, t.Epoch)
}

func appendMove(b []byte, m move) []byte {
	return snapshot.AppendString(snapshot.AppendString(b, m.room), m.user)
}

// parseHandedOver reads what append has written.
func parseHandedOver(state []byte) (*handedOver, error) {
	h := &handedOver{known: make(map[move]int64)}
	names := make(interned)
	version := uint64(0)
	r := snapshot.NewReader(state)
	for number, v := range r.Fields() {
		switch number {
		case fieldVersion:
			if version = v.Uint(math.MaxUint64); version != handoverVersion {
				return nil, fmt.Errorf("chat/redis: the other process's state has version %d, and %d is known", version, handoverVersion)
			}
		case fieldNode:
			h.node = string(v.Rest())
		case fieldProcess:
			h.process = string(v.Rest())
		case fieldRegistered:
			h.registered = v.Bool()
		case fieldEpoch:
			h.epoch = string(v.Rest())
		case fieldDeaf:
			h.deaf = int64(v.Uint(math.MaxInt64))
		case fieldRefreshed:
			h.refreshed = age(v)
		case fieldBeat:
			h.beat = int64(v.Uint(math.MaxInt64))
		case fieldControl:
			h.control = string(v.Rest())
		case fieldGapped:
			h.gapped = v.Bool()
		case fieldPlace:
			h.places = append(h.places, readPlace(v, names))
		case fieldPerson:
			h.people = append(h.people, readPerson(v, names))
		case fieldUntold:
			h.untold = append(h.untold, handedMove{readMove(v, names), v.Bool(), v.Bool()})
		case fieldRecent:
			h.recent = append(h.recent, readMove(v, names))
		case fieldKnown:
			m := readMove(v, names)
			h.known[m] = int64(v.Uint(math.MaxUint64))
		case fieldSession:
			h.sessions = append(h.sessions, handedSession{id: v.String(v.Len()), user: names.read(v), released: v.Int(math.MaxInt32),
				seen: int64(v.Uint(math.MaxUint64)), record: v.String(v.Len()), sure: age(v)})
		}
		if v.Err() != nil {
			return nil, fmt.Errorf("%w: field %d", errHandover, number)
		}
	}
	if r.End() != nil || version == 0 || h.node == "" || h.process == "" {
		return nil, errHandover
	}
	return h, nil
}

func age(v *snapshot.Reader) time.Duration { return time.Duration(v.Uint(math.MaxInt64)) }

func readPlace(v *snapshot.Reader, names interned) doorbell.Place {
	return doorbell.Place{Conversation: chat.Conversation(v.String(v.Len())), Subscribed: v.Bool(),
		Tail: readTail(v, names), Told: readTail(v, names), Idle: age(v)}
}

func readTail(v *snapshot.Reader, names interned) chat.Tail {
	return chat.Tail{Seq: v.Uint(math.MaxUint64), Change: v.Uint(math.MaxUint64), Tag: v.Uint32(),
		ServerTS: int64(v.Uint(math.MaxUint64)), Epoch: names.read(v)}
}

func readPerson(v *snapshot.Reader, names interned) handedPerson {
	p := handedPerson{user: chat.User{ID: names.read(v), Name: v.String(v.Len()), Created: int64(v.Uint(math.MaxUint64)), ValidFrom: int64(v.Uint(math.MaxUint64)),
		Guest: v.Bool()}, known: v.Bool(), rev: int64(v.Uint(math.MaxUint64))}
	p.inbox = doorbell.InboxPlace{User: p.user.ID, Last: v.Uint(math.MaxUint64), Started: v.Bool(), Again: v.Bool()}
	for v.Len() > 0 {
		p.rooms = append(p.rooms, names.read(v))
	}
	return p
}

func readMove(v *snapshot.Reader, names interned) move { return move{names.read(v), names.read(v)} }

// interned keeps one copy of each string.
type interned map[string]string

func (in interned) read(v *snapshot.Reader) string {
	b := v.Bytes(v.Len())
	s, ok := in[string(b)]
	if !ok {
		s = string(b)
		in[s] = s
	}
	return s
}
