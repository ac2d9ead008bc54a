package chat

import (
	"math"
	"net/netip"
	"time"

	"github.com/hawser-ws/hawser/server/rate"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// This file hands to another process what users and addresses have used of the limits.

// tables ranges over the limits by user, and those by address, each with the number of its field.
func (l *limiter) tables(users func(uint64, *rate.Limiter[string]), addresses func(uint64, *rate.Limiter[netip.Prefix])) {
	users(1, l.users)
	addresses(2, l.addresses)
	for i, q := range []*quota{&l.bytes, &l.hour, &l.day} {
		users(3+2*uint64(i), q.users)
		addresses(4+2*uint64(i), q.addresses)
	}
}

// appendState appends what was used, by a time of the limiter's clock.
func (l *limiter) appendState(dst []byte, now time.Duration) []byte {
	l.tables(func(n uint64, users *rate.Limiter[string]) {
		var table []byte
		for id, left := range users.Used(now) {
			table = snapshot.AppendUint(snapshot.AppendString(table, id), uint64(left))
		}
		dst = snapshot.AppendField(dst, n, table)
	}, func(n uint64, addresses *rate.Limiter[netip.Prefix]) {
		var table []byte
		for address, left := range addresses.Used(now) {
			b, _ := address.MarshalBinary() // there are no errors
			table = snapshot.AppendUint(snapshot.AppendBytes(table, b), uint64(left))
		}
		dst = snapshot.AppendField(dst, n, table)
	})
	return dst
}

// restoreState takes what appendState of another process has written.
func (l *limiter) restoreState(state []byte, now time.Duration) error {
	tables := make(map[uint64]*snapshot.Reader)
	r := snapshot.NewReader(state)
	for number, value := range r.Fields() {
		tables[number] = value
	}
	err := r.End()
	each := func(n uint64, set func(subject []byte, left time.Duration)) {
		t := tables[n]
		for t != nil && t.Len() > 0 {
			subject, left := t.Bytes(maxName), time.Duration(t.Uint(math.MaxInt64))
			if t.Err() != nil {
				err = t.Err()
				return
			}
			set(subject, left)
		}
	}
	l.tables(func(n uint64, users *rate.Limiter[string]) {
		each(n, func(subject []byte, left time.Duration) { users.SetUsed(string(subject), now, left) })
	}, func(n uint64, addresses *rate.Limiter[netip.Prefix]) {
		each(n, func(subject []byte, left time.Duration) {
			var address netip.Prefix
			if address.UnmarshalBinary(subject) != nil {
				err = snapshot.ErrMalformed
			} else {
				addresses.SetUsed(address, now, left)
			}
		})
	})
	return err
}

// maxName bounds a subject: the id of a user, or an address.
const maxName = 1 << 10
