package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc64"
)

// members checks the memberships. Those of the users and those of the rooms must be the same.
func (c *checker) members() {
	if c.format == formerFormat {
		return
	}
	changed := make(map[string]bool) // only the current state of these counts
	next := c.placed + 1
	last := c.buckets[string(bucketJoins)].sequence
	c.each(bucketJoins, func(k, v []byte) {
		if len(k) == 8 && binary.BigEndian.Uint64(k) <= c.placed { // to be deleted
			return
		}
		changes, err := decodeJoins(k, v)
		for _, one := range changes {
			changed[string(memberKey(one.UserID, one.Room))] = true
		}
		if err != nil || !bytes.Equal(k, numberKey(next)) {
			c.lose(fmt.Sprintf("which memberships began or ended last: the record %x is damaged, or one before it is missing", k))
		}
		next++
	})
	if next != last+1 {
		c.lose(fmt.Sprintf("which memberships began or ended last: the last record that is there is %d of %d", next-1, last))
	}
	if c.memberships(bucketMemberships, changed) != c.memberships(bucketMembers, changed) {
		c.lose("the memberships of the users and those of the rooms are not the same")
	}
}

var crcTable = crc64.MakeTable(crc64.ECMA)

// memberships checks one of the two buckets, and returns a sum over all records, in any
// order, except those that have changed since.
func (c *checker) memberships(name []byte, changed map[string]bool) (sum uint64) {
	count, want := uint64(0), c.buckets[string(name)].sequence
	c.each(name, func(k, v []byte) {
		count++
		since, err := decodeMember(name, k, v)
		of, other, ok := bytes.Cut(k, []byte{0})
		if err != nil || !ok {
			c.lose(fmt.Sprintf("a membership: the record %q of the bucket %q is damaged", k, name))
			return
		}
		if bytes.Equal(name, bucketMembers) {
			of, other = other, of
		}
		if changed[string(memberKey(string(of), string(other)))] {
			return
		}
		sum += crc64.Checksum(fmt.Appendf(nil, "%s\x00%s\x00%d", of, other, since), crcTable)
	})
	if count != want {
		c.lose(fmt.Sprintf("%d memberships are there, of %d, in the bucket %q", count, want, name))
	}
	return sum
}

// sessions checks the sessions and bans.
func (c *checker) sessions() {
	if c.format == formerFormat {
		return
	}
	for _, b := range []struct {
		name   []byte
		what   string
		decode func(k, v []byte) error
	}{
		{bucketSessions, "session", func(k, v []byte) error { _, err := decodeSession(k, v); return err }},
		{bucketBans, "ban", func(k, v []byte) error { _, err := decodeBan(k, v); return err }},
	} {
		count, want := uint64(0), c.buckets[string(b.name)].sequence
		c.each(b.name, func(k, v []byte) {
			if count++; b.decode(k, v) != nil {
				c.lose(fmt.Sprintf("the %s %q: the record is damaged", b.what, k))
			}
		})
		if count != want {
			c.lose(fmt.Sprintf("%d %ss are there, of %d", count, b.what, want))
		}
	}
}
