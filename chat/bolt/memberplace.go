package bolt

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// The memberships in memory are written in their places piece by piece, like a checkpoint:
//
//	memberships     in the order of the users
//	members         in the order of the rooms: so each page is written once. What is in both
//	                places by then is taken out of memory
//	joins           what is in it since before the beginning is deleted, some at a time
//
// With each piece, the changes since the last transaction are written in joins, as usual: a
// membership that is in one of the places, or was taken out of memory, must not be older there. So
// after a crash in between, joins has everything that the two places disagree about.

// keyPlaced holds the number up to which the records of joins are in their places.
var keyPlaced = []byte("placed")

// placing is a running write of memberships in their places.
type placing struct {
	joins  uint64 // the last record of joins when it began
	all    []placed
	next   int  // of all
	byRoom bool // all are among the memberships; now the members are written
	ended  bool // all of them are written; only joins is left
}

// placed is a membership that is being written in its places.
type placed struct {
	*freshMember
	first uint64 // its version in the first of them
}

func (s *Store) beginPlacing() {
	p := &placing{joins: s.joins, all: s.members.all()}
	slices.SortFunc(p.all, func(a, b placed) int {
		return cmp.Or(strings.Compare(a.UserID, b.UserID), strings.Compare(a.Room, b.Room))
	})
	s.placing = p
}

// turn goes on with the other place.
func (p *placing) turn() {
	slices.SortFunc(p.all, func(a, b placed) int {
		return cmp.Or(strings.Compare(a.Room, b.Room), strings.Compare(a.UserID, b.UserID))
	})
	p.byRoom, p.next = true, 0
}

// place writes a piece. If that fails, placing ends, and begins again when there are more.
func (s *Store) place(p *placing) {
	began := time.Now()
	defer func() { s.figures.checkpoints.Observe(time.Since(began).Seconds()) }()
	piece := p.all[p.next:min(len(p.all), p.next+s.pieceSize)]
	whole := p.next+len(piece) == len(p.all)
	last := whole && p.byRoom && !p.ended
	over := false
	var w *writer
	var written []unsavedMember
	err := s.update(func(tx *bbolt.Tx) (err error) {
		w = newWriter(s, tx)
		written = s.members.now(piece)
		if err := w.putJoins(); err != nil { // after now, so that none of them is newer
			return err
		}
		if err := putMembers(tx, written, p.byRoom); err != nil {
			return err
		}
		if last {
			if err := putMeta(tx, keyPlaced, numberKey(p.joins)); err != nil {
				return err
			}
		}
		if last || p.ended {
			over, err = deleteUpTo(tx.Bucket(bucketJoins), p.joins, s.pieceSize)
		}
		return err
	})
	if err != nil {
		if w != nil {
			s.putBack(w)
		}
		count, _ := s.members.fresh()
		s.placing, s.membersAt = nil, count+s.membersEvery/8+1
		s.log.Error("memberships are stored, but not written in their places, which is tried again", "error", err)
		return
	}
	s.joins += w.joins
	p.next += len(piece)
	p.ended = p.ended || last
	if p.byRoom {
		s.members.retire(piece, written)
	} else {
		for i := range piece {
			piece[i].first = written[i].version
		}
		if whole {
			p.turn()
		}
	}
	if over {
		s.placing, s.membersAt = nil, s.membersEvery
	}
}

// putMembers writes the records of memberships, by user or by room.
func putMembers(tx *bbolt.Tx, all []unsavedMember, byRoom bool) error {
	name := bucketMemberships
	if byRoom {
		name = bucketMembers
	}
	b := tx.Bucket(name)
	for i := range all {
		c := &all[i].memberChange
		of, other := c.UserID, c.Room
		if byRoom {
			of, other = c.Room, c.UserID
		}
		if err := putMember(b, name, of, other, c); err != nil {
			return err
		}
	}
	return nil
}
