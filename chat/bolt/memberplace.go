package bolt

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// The memberships in memory are written in their places by pieces, as a checkpoint is:
//
//	some of them    as they are then; with what has changed of all since the last transaction
//	                in joins, as usual: what is taken out of memory must not be older there
//	joins           what is in it since before the beginning is deleted, some at a time

// keyPlaced holds up to which number the records of joins are in their places.
var keyPlaced = []byte("placed")

// placing is the writing of memberships that is under way.
type placing struct {
	joins uint64         // the last record of joins when it began
	left  []*freshMember // in the order of their users
	ended bool           // all of them are written; joins is left
}

func (s *Store) beginPlacing() {
	p := &placing{left: s.members.all(), joins: s.joins}
	slices.SortFunc(p.left, func(a, b *freshMember) int {
		return cmp.Or(strings.Compare(a.UserID, b.UserID), strings.Compare(a.Room, b.Room))
	})
	s.placing = p
}

// place does a piece of it. If that fails, it ends, and begins again when there are more.
func (s *Store) place(p *placing) {
	began := time.Now()
	defer func() { s.figures.checkpoints.Observe(time.Since(began).Seconds()) }()
	n := min(s.pieceSize, len(p.left))
	last := n == len(p.left) && !p.ended
	over := false
	var w *writer
	var written []unsavedMember
	err := s.update(func(tx *bbolt.Tx) (err error) {
		w = newWriter(s, tx)
		written = s.members.now(p.left[:n])
		if err := w.putJoins(); err != nil { // after now: what changes in between stays in memory
			return err
		}
		if err := putMembers(tx, written); err != nil {
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
	s.members.retire(written)
	p.left, p.ended = p.left[n:], p.ended || last
	if over {
		s.placing, s.membersAt = nil, s.membersEvery
	}
}

// putMembers writes the records of memberships, in the order of each bucket.
func putMembers(tx *bbolt.Tx, all []unsavedMember) error {
	byUser, byRoom := tx.Bucket(bucketMemberships), tx.Bucket(bucketMembers)
	slices.SortFunc(all, func(a, b unsavedMember) int {
		return cmp.Or(strings.Compare(a.UserID, b.UserID), strings.Compare(a.Room, b.Room))
	})
	for i := range all {
		c := &all[i].memberChange
		if err := putMember(byUser, bucketMemberships, c.UserID, c.Room, c); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b unsavedMember) int {
		return cmp.Or(strings.Compare(a.Room, b.Room), strings.Compare(a.UserID, b.UserID))
	})
	for i := range all {
		c := &all[i].memberChange
		if err := putMember(byRoom, bucketMembers, c.Room, c.UserID, c); err != nil {
			return err
		}
	}
	return nil
}
