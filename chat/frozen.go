package chat

import (
	"encoding/binary"
	"iter"
	"math"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// This file is how a connection is written for another process: numbered fields. A reader skips
// those that it does not know. A number is never used again for something else. Times
// are ages, or what is left, in ns: the processes have different clocks.

// frozenConnection is a connection without its socket.
type frozenConnection struct {
	state     connectionState
	certified string        // ConnectionInfo.UserID
	remote    string        // ConnectionInfo.RemoteAddr, as AppendBinary writes it
	timer     time.Duration // what is left of the time for auth, or of a throttle

	user     string // "": it has not logged in
	session  string
	role     string
	features feature
	expires  int64 // in ms since 1970
	warned   bool

	rooms []string
	muted []string

	pace   time.Duration // what is left of it
	fast   time.Duration // for how long it has been too fast; 0: it is not
	errors []time.Duration

	paused    bool
	admitted  bool
	throttled bool
	refusal   *Failure
	queue     []string // texts of operations; "" is a look at the memberships

	closing *frozenClosing
	ahead   []*frozenBehind // rooms among them, too
	catchUp *frozenCatchUp
}

// frozenClosing is a closing.
type frozenClosing struct {
	code   wsproto.CloseCode
	reason string
	left   time.Duration
}

// frozenBehind is a behind. What was kept for it is read from the engine instead.
type frozenBehind struct {
	receiver    string
	held        position
	valid       bool
	epoch       string
	at          uint64
	last, until Tail
	begun       bool
	stale       bool
	missed      uint64
	ahead       bool
	cut         bool
	lost        bool
}

// frozenCatchUp is a catchUp between two steps.
type frozenCatchUp struct {
	ref    string
	missed uint64
	behind []*frozenBehind
	talks  *frozenTalks
}

// frozenTalks is a talkList.
type frozenTalks struct {
	since         int64
	after         string
	told          uint64
	listed        bool
	known, missed []string
}

// codec either appends fields or assigns them: so what is written and what is read cannot differ.
type codec struct {
	dst []byte // when appending

	reading bool
	fields  []codedField // when reading
	err     error
}

// codedField is a field that was read.
type codedField struct {
	number uint64
	value  snapshot.Reader
}

// encode appends what a function says there is.
func encode(dst []byte, say func(*codec)) []byte {
	c := codec{dst: dst}
	say(&c)
	return c.dst
}

// decoders are codecs that are not in use, with room for fields.
var decoders = sync.Pool{New: func() any { return new(codec) }}

// decode assigns what a function says there may be.
func decode(r *snapshot.Reader, say func(*codec)) error {
	c := decoders.Get().(*codec)
	defer func() {
		clear(c.fields)
		*c = codec{fields: c.fields[:0]}
		decoders.Put(c)
	}()
	c.reading = true
	for r.Len() > 0 {
		number := r.Uint(math.MaxUint64)
		value := snapshot.NewReader(r.Bytes(r.Len()))
		c.fields = append(c.fields, codedField{number, *value})
	}
	if err := r.End(); err != nil {
		return err
	}
	say(c)
	return c.err
}

// value returns the value of a field, nil if it is missing. There are few.
func (c *codec) value(number uint64) *snapshot.Reader {
	for i := range c.fields {
		if c.fields[i].number == number {
			return &c.fields[i].value
		}
	}
	return nil
}

// values ranges over the values of all fields with a number.
func (c *codec) values(number uint64) iter.Seq[*snapshot.Reader] {
	return func(yield func(*snapshot.Reader) bool) {
		for i := range c.fields {
			if c.fields[i].number == number && !yield(&c.fields[i].value) {
				return
			}
		}
	}
}

func (c *codec) note(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *codec) uint(number uint64, v *uint64) {
	if !c.reading {
		c.dst = snapshot.AppendUintField(c.dst, number, *v)
	} else if r := c.value(number); r != nil {
		*v = r.Uint(math.MaxUint64)
		c.note(r.End())
	}
}

// integer is for all other types that a number has.
func integer[T ~int | ~int64 | ~uint8 | ~uint16 | ~uint32](c *codec, number uint64, v *T) {
	u := uint64(*v)
	c.uint(number, &u)
	if *v = T(u); uint64(*v) != u || *v < 0 {
		c.note(snapshot.ErrMalformed)
	}
}

func (c *codec) bool(number uint64, v *bool) {
	var n uint8
	if *v {
		n = 1
	}
	integer(c, number, &n)
	*v = n != 0
}

func (c *codec) string(number uint64, v *string) {
	if !c.reading {
		c.dst = snapshot.AppendStringField(c.dst, number, *v)
	} else if r := c.value(number); r != nil {
		*v = string(r.Rest())
	}
}

// strings is for any number of strings. Some may be empty.
func (c *codec) strings(number uint64, v *[]string) {
	for _, s := range *v {
		if !c.reading {
			c.dst = snapshot.AppendField(c.dst, number, []byte(s))
		}
	}
	for r := range c.values(number) {
		*v = append(*v, string(r.Rest()))
	}
}

func (c *codec) durations(number uint64, v *[]time.Duration) {
	for _, d := range *v {
		if !c.reading {
			c.dst = snapshot.AppendField(c.dst, number, binary.BigEndian.AppendUint64(nil, uint64(d)))
		}
	}
	for r := range c.values(number) {
		b := r.Rest()
		if len(b) != 8 {
			c.note(snapshot.ErrMalformed)
			return
		}
		*v = append(*v, time.Duration(binary.BigEndian.Uint64(b)))
	}
}

// record is for something that has fields itself, and may be missing.
func record[T any](c *codec, number uint64, v **T, say func(*T, *codec)) {
	if !c.reading {
		if *v != nil {
			c.dst = snapshot.AppendField(c.dst, number, encode(nil, func(c *codec) { say(*v, c) }))
		}
		return
	}
	if r := c.value(number); r != nil {
		*v = new(T)
		c.note(decode(r, func(c *codec) { say(*v, c) }))
	}
}

// records is for any number of such.
func records[T any](c *codec, number uint64, v *[]*T, say func(*T, *codec)) {
	for _, one := range *v {
		if !c.reading {
			record(c, number, &one, say)
		}
	}
	for r := range c.values(number) {
		one := new(T)
		c.note(decode(r, func(c *codec) { say(one, c) }))
		*v = append(*v, one)
	}
}

func (f *frozenConnection) fields(c *codec) {
	integer(c, 1, &f.state)
	c.string(2, &f.certified)
	integer(c, 3, &f.timer)
	c.string(4, &f.user)
	c.string(5, &f.session)
	c.string(6, &f.role)
	integer(c, 7, &f.features)
	integer(c, 8, &f.expires)
	c.bool(9, &f.warned)
	c.strings(10, &f.rooms)
	c.strings(11, &f.muted)
	integer(c, 12, &f.pace)
	integer(c, 13, &f.fast)
	c.durations(14, &f.errors)
	c.bool(15, &f.paused)
	c.bool(16, &f.admitted)
	c.bool(17, &f.throttled)
	record(c, 18, &f.refusal, (*Failure).fields)
	c.strings(19, &f.queue)
	record(c, 20, &f.closing, (*frozenClosing).fields)
	records(c, 21, &f.ahead, (*frozenBehind).fields)
	record(c, 22, &f.catchUp, (*frozenCatchUp).fields)
	c.string(23, &f.remote)
}

func (f *Failure) fields(c *codec) {
	integer(c, 1, &f.Code)
	c.string(2, &f.Reason)
	c.string(3, &f.Message)
	c.string(4, &f.Field)
	integer(c, 5, &f.RetryAfter)
	integer(c, 6, &f.Limit)
}

func (f *frozenClosing) fields(c *codec) {
	integer(c, 1, &f.code)
	c.string(2, &f.reason)
	integer(c, 3, &f.left)
}

func (f *frozenBehind) fields(c *codec) {
	c.string(1, &f.receiver)
	c.string(2, &f.held.epoch)
	c.uint(3, &f.held.change)
	integer(c, 4, &f.held.tag)
	c.bool(5, &f.valid)
	c.string(6, &f.epoch)
	c.uint(7, &f.at)
	last, until := &f.last, &f.until
	record(c, 8, &last, (*Tail).fields)
	record(c, 9, &until, (*Tail).fields)
	f.last, f.until = *last, *until
	c.bool(10, &f.begun)
	c.bool(11, &f.stale)
	c.uint(12, &f.missed)
	c.bool(13, &f.ahead)
	c.bool(14, &f.cut)
	c.bool(15, &f.lost)
}

func (t *Tail) fields(c *codec) {
	c.uint(1, &t.Seq)
	c.uint(2, &t.Change)
	integer(c, 3, &t.Tag)
	integer(c, 4, &t.ServerTS)
	c.string(5, &t.Epoch)
}

func (f *frozenCatchUp) fields(c *codec) {
	c.string(1, &f.ref)
	c.uint(2, &f.missed)
	records(c, 3, &f.behind, (*frozenBehind).fields)
	record(c, 4, &f.talks, (*frozenTalks).fields)
}

func (f *frozenTalks) fields(c *codec) {
	negative := f.since < 0 // the client's time less a margin
	since := uint64(max(f.since, -f.since))
	c.uint(1, &since)
	c.bool(2, &negative)
	if f.since = int64(since); negative {
		f.since = -f.since
	}
	c.string(3, &f.after)
	c.uint(4, &f.told)
	c.bool(5, &f.listed)
	c.strings(6, &f.known)
	c.strings(7, &f.missed)
}
