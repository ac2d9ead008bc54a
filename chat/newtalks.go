package chat

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// This file tells a client that resumes of private conversations that it does not hold. It is
// sent nothing of them before that: it would believe that it has what came before.

const (
	// maxNewTalks is the maximum number of private conversations of which a client is told
	// that they are new, beside those in which something is said meanwhile.
	maxNewTalks = 1000

	// sinceMargin is how much earlier than the client says new private conversations are
	// looked for: one may have been stored with an earlier time than what the client has
	// seen of another one, by a node whose clock is behind, or may have come late.
	sinceMargin = time.Minute
)

// talkList is how far the list of new private conversations is.
type talkList struct {
	since  int64
	after  string
	told   int
	listed bool // what is left are those in missed

	// Guarded by Hub.mu.
	known  conversations // the client holds them, or is told of them
	missed conversations // others in which something was said meanwhile
}

// conversations is a set. Most are empty.
type conversations map[Conversation]bool

func (set *conversations) add(c Conversation) {
	if *set == nil {
		*set = make(conversations)
	}
	(*set)[c] = true
}

func newTalkList(user string, resume *resumeFields) *talkList {
	l := new(talkList)
	if resume.since != nil {
		l.since = *resume.since - sinceMargin.Milliseconds()
	}
	for _, held := range resume.held {
		if strings.HasPrefix(held.receiver, userPrefix) {
			l.known.add(PrivateConversation(user, held.receiver))
		}
	}
	return l
}

// mayHear reports whether a connection with this list may be sent what is said in a private
// conversation. Called with Hub.mu held.
func (l *talkList) mayHear(in Conversation) bool {
	if l == nil || l.known[in] {
		return true
	}
	l.missed.add(in)
	return false
}

// listNewTalks tells the client of some private conversations that it does not hold, and that
// have messages since it heard something last. When it has been told of all, it hears them.
func (u *catchUp) listNewTalks(ctx context.Context) error {
	l, me := u.talks, u.c.person.id
	if l.listed {
		return u.listMissed(ctx)
	}
	u.reads--
	talks, more, err := u.hub.engine.Directory.Talks(ctx, me, l.since, l.after, max(u.reads, 1))
	if err != nil {
		return err
	}
	for _, talk := range talks {
		l.after = talk.UserID
		is, err := u.tellNew(ctx, PrivateConversation(me, talk.UserID))
		if err != nil {
			return err
		}
		if is {
			l.told++
		}
	}
	l.listed = !more || l.told >= maxNewTalks
	return nil
}

// listMissed tells the client of the conversations in which something was said since the list
// began. If there are none, the list is complete.
func (u *catchUp) listMissed(ctx context.Context) error {
	u.hub.mu.Lock()
	missed := slices.Collect(maps.Keys(u.talks.missed))
	if len(missed) == 0 {
		u.c.listing = nil
	}
	u.hub.mu.Unlock()
	if len(missed) == 0 {
		u.talks = nil
		return nil
	}
	for _, in := range missed {
		if _, err := u.tellNew(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// tellNew tells the client of a conversation, and lets it hear it, unless it knows it.
func (u *catchUp) tellNew(ctx context.Context, in Conversation) (is bool, err error) {
	b := &behind{c: u.c, receiver: in.Receiver(u.c.person.id), in: in, index: -1}
	s := u.hub.shard(in)
	s.mu.Lock()
	u.hub.mu.Lock()
	known := u.talks.known[in]
	if !known {
		u.talks.known.add(in)
		delete(u.talks.missed, in)
		s.register(b)
	}
	u.hub.mu.Unlock()
	s.mu.Unlock()
	if known {
		return false, nil
	}
	if _, err = u.announce(ctx, b, "new"); err != nil {
		u.behind = append(u.behind, b) // for abandon
	}
	return true, err
}
