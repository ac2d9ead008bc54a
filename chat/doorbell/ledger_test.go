package doorbell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// ledger is a store for tests.
type ledger struct {
	mu      sync.Mutex
	delay   time.Duration // of every call
	most    int           // calls of Changes at a time
	books   map[chat.Conversation]*book
	inboxes map[string][]Hint
	broken  map[chat.Conversation]bool
	away    bool
	made    map[string]int // calls
	running int

	unsure    bool   // the source cannot say whether an epoch is safe
	firstHint uint64 // numbers of hints in new inboxes are beyond it
}

type book struct {
	epoch       int
	first, last uint64 // first is the oldest that is there
	branch      uint64 // changes after this one were lost, and their numbers reused; 0: none
	branches    uint32
}

func (b *book) tag(number uint64) uint32 {
	if b.branch > 0 && number > b.branch {
		return 100*b.branches + uint32(number)
	}
	return uint32(number)
}

func newLedger() *ledger {
	return &ledger{books: map[chat.Conversation]*book{}, inboxes: map[string][]Hint{}, broken: map[chat.Conversation]bool{}, made: map[string]int{}}
}

// book is one conversation's. Called with mu held.
func (l *ledger) book(c chat.Conversation) *book {
	if l.books[c] == nil {
		l.books[c] = &book{epoch: 1, first: 1}
	}
	return l.books[c]
}

func (b *book) tail() chat.Tail {
	return chat.Tail{Seq: b.last, Change: b.last, Tag: b.tag(b.last), Epoch: fmt.Sprint("e", b.epoch)}
}

func (b *book) change(n uint64) chat.Change {
	return chat.Change{Number: n, Seq: n, Tag: b.tag(n), Epoch: b.tail().Epoch}
}

// failOver loses the changes after one; their numbers will be reused.
func (l *ledger) failOver(c chat.Conversation, last uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.book(c)
	b.last, b.branch, b.branches = last, last, b.branches+1
}

// offer appends a change, and gives it to a node together with the doorbell.
func (l *ledger) offer(c chat.Conversation, n *Node) {
	l.append(c, 1)
	l.offerAgain(c, n)
}

// offerAgain offers the last change.
func (l *ledger) offerAgain(c chat.Conversation, n *Node) {
	l.mu.Lock()
	b := l.book(c)
	ch, before := b.change(b.last), b.tag(b.last-1)
	l.mu.Unlock()
	n.Offer(c, &ch, before)
}

func (l *ledger) append(c chat.Conversation, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book(c).last += n
}

// forget begins another epoch.
func (l *ledger) forget(c chat.Conversation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*l.book(c) = book{epoch: l.book(c).epoch + 1, first: 1}
}

// trim drops the changes before one.
func (l *ledger) trim(c chat.Conversation, first uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book(c).first = first
}

// hint does what precedes an append to a private conversation.
func (l *ledger) hint(one, other string) chat.Conversation {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := chat.PrivateConversation(one, other)
	for _, user := range slices.Compact([]string{one, other}) {
		hints := l.inboxes[user]
		before, number := uint64(0), l.firstHint+1
		if len(hints) > 0 {
			before = hints[len(hints)-1].Number
			number += before
		}
		l.inboxes[user] = append(hints, Hint{Number: number, Before: before, Conversation: c, Tail: l.book(c).tail()})
	}
	return c
}

// say appends a private message, and rings at a node if there is one.
func (l *ledger) say(one, other string, n *Node) {
	c := l.hint(one, other)
	l.append(c, 1)
	if n != nil {
		n.Ring(c)
	}
}

// dropHints drops the oldest hints of a user.
func (l *ledger) dropHints(user string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inboxes[user] = l.inboxes[user][n:]
}

// loseHint loses the newest hint of a user.
func (l *ledger) loseHint(user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inboxes[user] = l.inboxes[user][:len(l.inboxes[user])-1]
}

// leap makes the numbers of the next hints jump ahead by that much.
func (l *ledger) leap(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.firstHint = n - 1
}

func (l *ledger) clearInboxes() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.inboxes)
	l.firstHint += 1000
}

func (l *ledger) fail(c chat.Conversation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken[c] = true
}

func (l *ledger) failAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = true
}

func (l *ledger) repair() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = false
	clear(l.broken)
}

// calls is how many calls were made whose names have this prefix.
func (l *ledger) calls(prefix string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, times := range l.made {
		if strings.HasPrefix(name, prefix) {
			n += times
		}
	}
	return n
}

// slow makes every call slow.
func (l *ledger) slow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

var errAway = errors.New("the source is away")

// call is one call, which returns with mu held if there is no error.
func (l *ledger) call(ctx context.Context, name string) error {
	l.mu.Lock()
	delay := l.delay
	l.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	l.made[name]++
	err := ctx.Err()
	if l.away {
		err = errAway
	}
	if err != nil {
		l.mu.Unlock()
	}
	return err
}

// source is a ledger as a node reads it.
type source struct{ *ledger }

func (s source) Tails(ctx context.Context, cs []chat.Conversation, each func(int, chat.Tail, error)) {
	err := s.call(ctx, "Tails")
	tails := make([]chat.Tail, len(cs))
	if err == nil {
		for i, c := range cs {
			tails[i] = s.book(c).tail()
		}
		s.mu.Unlock()
	}
	for i := range cs {
		each(i, tails[i], err)
	}
}

func (s source) Changes(ctx context.Context, c chat.Conversation, after uint64, limit int) (changes []chat.Change, more bool, err error) {
	s.mu.Lock()
	s.running++
	s.most = max(s.most, s.running)
	s.mu.Unlock()
	err = s.call(ctx, "Changes "+string(c))
	if err != nil {
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	s.running--
	if s.broken[c] {
		err = errAway
	}
	if err != nil {
		return nil, false, err
	}
	b := s.book(c)
	for n := max(after+1, b.first); n <= b.last && len(changes) < limit; n++ {
		changes = append(changes, b.change(n))
	}
	return changes, len(changes) == limit, nil
}

func (s source) Check(ctx context.Context, c chat.Conversation, at chat.Tail) (chat.Tail, error) {
	if err := s.call(ctx, "Check"); err != nil {
		return chat.Tail{}, err
	}
	defer s.mu.Unlock()
	if s.unsure {
		return chat.Tail{}, errAway
	}
	b := s.book(c)
	if at.Epoch == b.tail().Epoch && (at.Change > b.last || at.Change >= b.first && b.tag(at.Change) != at.Tag) {
		b.epoch++
	}
	if lost := number(at.Epoch); lost > b.epoch {
		b.epoch = lost + 1
	}
	return b.tail(), nil
}

func (s source) Later(epoch, other string) bool { return number(epoch) > number(other) }

// number is that of a ledger's epoch; 0 for "".
func number(epoch string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(epoch, "e"))
	return n
}

func (s source) Hints(ctx context.Context, user string, after uint64, limit int) (hints []Hint, more bool, err error) {
	if err := s.call(ctx, "Hints"); err != nil {
		return nil, false, err
	}
	defer s.mu.Unlock()
	for _, h := range s.inboxes[user] {
		if h.Number > after && len(hints) < limit {
			hints = append(hints, h)
		}
	}
	return hints, len(hints) == limit, nil
}

func (s source) Recent(ctx context.Context, user string) (hints []Hint, last uint64, err error) {
	if err := s.call(ctx, "Recent"); err != nil {
		return nil, 0, err
	}
	defer s.mu.Unlock()
	if hints = slices.Clone(s.inboxes[user]); len(hints) > 0 {
		last = hints[len(hints)-1].Number
	}
	return hints, last, nil
}

func (s source) LastHints(ctx context.Context, users []string, each func(int, uint64, error)) {
	for i, user := range users {
		_, last, err := s.Recent(ctx, user)
		each(i, last, err)
	}
}

// ear is a chat.Receiver that remembers, and can be slow.
type ear struct {
	mu    sync.Mutex
	heard []string
	gate  chan struct{} // nil: it is open
}

func (e *ear) hear(text string) {
	e.mu.Lock()
	e.heard = append(e.heard, text)
	gate := e.gate
	e.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

func (e *ear) Deliver(c chat.Conversation, ch *chat.Change) { e.hear(fmt.Sprint(c, " ", ch.Number)) }

func (e *ear) Lost(c chat.Conversation, now chat.Tail) {
	e.hear(fmt.Sprint("lost ", c, " ", now.Change, " ", now.Epoch))
}

func (e *ear) Here(room string, ev chat.PresenceEvent) {
	e.hear(fmt.Sprint(ev.User.Name, " ", ev.Kind, " in ", room))
}

func (e *ear) Renamed(u chat.User) { e.hear(u.ID + " is " + u.Name) }

func (e *ear) Member(userID, room string, joined bool) {
	e.hear(fmt.Sprint(userID, " in ", room, ": ", joined))
}

func (e *ear) Banned(chat.Ban) {}

func (e *ear) Ended(userID, sessionID string, why chat.Ending) {
	e.hear(fmt.Sprint(userID, " ", sessionID, " ", why))
}

// take returns what was heard since its last call.
func (e *ear) take() (heard []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	heard, e.heard = e.heard, nil
	return heard
}

// so returns what was heard so far.
func (e *ear) so() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

func (e *ear) sort() {
	e.mu.Lock()
	defer e.mu.Unlock()
	slices.Sort(e.heard)
}

// pause makes the next delivery wait until goOn.
func (e *ear) pause() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gate = make(chan struct{})
}

func (e *ear) goOn() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.gate)
	e.gate = nil
}
