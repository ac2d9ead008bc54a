package redis

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/chat"
)

// What all nodes must hear, although nobody knows which of them it concerns, is in one stream,
// the control stream. Each node reads it when a doorbell rings, and every second. It says
// which sessions have ended, "user session why", the session "-" for all of them; and whose ban has
// changed, "ban subject number", the subject "*" for many of them.
const controlEntries = 10_000

// The first entry of a control stream has a random number of at least saltedEntries in its id, where
// the later ones of its millisecond count on, and all others count from 0.
const saltedEntries = 1 << 40

func streamSalt() string { return strconv.FormatUint(saltedEntries+rand.Uint64N(saltedEntries), 10) }

// end tells all nodes that sessions have ended.
func (b *broker) end(ctx context.Context, userID, sessionID string, why chat.Ending) error {
	if sessionID == "" {
		sessionID = "-"
	}
	what := userID + " " + sessionID + " " + strconv.Itoa(int(why))
	return controlScript.run(ctx, b.client, call{[]string{b.keys.control(), b.keys.controlChannel()}, []string{what, strconv.Itoa(controlEntries), streamSalt()}}).Error()
}

// startControl finds where the control stream ends.
func (b *broker) startControl(ctx context.Context) error {
	entries, err := b.client.Do(ctx, b.client.B().Xrevrange().Key(b.keys.control()).End("+").Start("-").Count(1).Build()).AsXRange()
	if err != nil {
		return err
	}
	origin, err := b.streamOrigin(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.control, b.controlOrigin = "0-0", origin
	if len(entries) > 0 {
		b.control = entries[0].ID
	}
	return nil
}

// streamOrigin is the first entry of the control stream, if it is the one with which the stream began,
// or "".
func (b *broker) streamOrigin(ctx context.Context) (string, error) {
	first, err := b.client.Do(ctx, b.client.B().Xrange().Key(b.keys.control()).Start("-").End("+").Count(1).Build()).AsXRange()
	if err != nil || len(first) == 0 {
		return "", err
	}
	if _, n := entryNumbers(first[0].ID); n < saltedEntries {
		return "", nil
	}
	return first[0].ID, nil
}

// began takes note of the first entry of the control stream.
func (b *broker) began(id string) {
	if _, n := entryNumbers(id); n >= saltedEntries {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.controlOrigin = id
	}
}

// restartStream makes the reader begin with the first entry if the control stream is a new one, of
// which it has read nothing: after a flush, its place in the old one means nothing.
func (b *broker) restartStream(ctx context.Context) (began bool, err error) {
	origin, err := b.streamOrigin(ctx)
	if err != nil || origin == "" {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if origin == b.controlOrigin {
		return false, nil
	}
	b.control, b.controlOrigin = "0-0", origin
	return true, nil
}

// rewind makes the reader go on after the last entry there is, if it was farther before entries
// were lost; in a new stream, with the first one.
func (b *broker) rewind(ctx context.Context, last string) error {
	if began, err := b.restartStream(ctx); began || err != nil {
		b.readControlSoon()
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if laterEntry(b.control, last) == b.control {
		b.control = cmp.Or(last, "0-0")
	}
	return nil
}

// entryNumbers are the two numbers of an entry's id.
func entryNumbers(id string) (ms, seq uint64) {
	first, second, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(first, 10, 64)
	seq, _ = strconv.ParseUint(second, 10, 64)
	return ms, seq
}

// laterEntry returns the later of two entries of a stream.
func laterEntry(x, y string) string {
	xms, xseq := entryNumbers(x)
	yms, yseq := entryNumbers(y)
	if cmp.Or(cmp.Compare(xms, yms), cmp.Compare(xseq, yseq)) > 0 {
		return x
	}
	return y
}

func (b *broker) readControlSoon() {
	select {
	case b.controlNow <- struct{}{}:
	default:
	}
}

// readControl reads what is new. It is called by one goroutine. The last entry that was read is read
// again: where it is gone, the stream may be a new one.
func (b *broker) readControl(ctx context.Context) error {
	const page = 200
	for {
		b.mu.Lock()
		after := b.control
		b.mu.Unlock()
		entries, err := b.client.Do(ctx, b.client.B().Xrange().Key(b.keys.control()).Start(after).End("+").Count(page).Build()).AsXRange()
		if err != nil {
			return err
		}
		known := len(entries) > 0 && entries[0].ID == after
		if !known && after != "0-0" {
			if began, err := b.restartStream(ctx); err != nil {
				return err
			} else if began {
				continue
			}
		}
		if !known && len(entries) > 0 && after == "0-0" {
			b.began(entries[0].ID)
		}
		full := len(entries) == page
		if known {
			entries = entries[1:]
		}
		for _, e := range entries {
			if err := b.heedControl(ctx, e.ID, e.FieldValues["w"]); err != nil {
				b.cfg.Log.Warn("chat/redis: what another node has told is not understood", "error", err)
			}
			b.mu.Lock()
			b.control = e.ID
			b.mu.Unlock()
			if b.gate.isShut() {
				return nil // the rest is read when it opens
			}
		}
		if !full {
			return nil
		}
	}
}

func (b *broker) heedControl(ctx context.Context, id, what string) error {
	f := strings.Fields(what)
	if len(f) < 3 {
		return fmt.Errorf("%w: %q", errReply, what)
	}
	if f[0] == "ban" {
		n, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %q", errReply, what)
		}
		return b.bans.changed(ctx, id, f[1], n)
	}
	why, err := strconv.ParseUint(f[2], 10, 8)
	if err != nil || chat.Ending(why) > chat.UserDeleted {
		why = uint64(chat.LoggedOut) // a reason that a later version has
	}
	session := f[1]
	if session == "-" {
		session = ""
	}
	for _, n := range b.all() {
		n.ended(f[0], session, chat.Ending(why))
	}
	return nil
}
