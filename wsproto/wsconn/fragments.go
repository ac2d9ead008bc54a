package wsconn

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// fragmentSize is the payload in bytes of each fragment that a MessageWriter sends,
// except the last one and those that Flush sends.
const fragmentSize = 16 << 10

// Writer begins a Text or Binary message that is written piece by piece and sent in
// fragments (RFC 6455 §5.4). It waits until earlier messages have been sent, and later
// ones wait until the MessageWriter is closed.
//
// opts change how this message is sent. ctx applies to the whole message. If ctx ends
// before Close, or a write fails, the message is abandoned; if a fragment of it has been
// sent, the connection is closed.
func (c *Conn) Writer(ctx context.Context, op frame.Opcode, opts ...WriteOption) (*MessageWriter, error) {
	if !op.IsData() {
		return nil, &wsproto.UsageError{Reason: "a message is text or binary, not " + op.String()}
	}
	if err := c.message.take(ctx, c); err != nil {
		return nil, err
	}
	w := &MessageWriter{c: c, ctx: ctx, op: op, opts: opts, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	w.stop = context.AfterFunc(ctx, w.onContextEnd)
	<-w.turn
	return w, nil
}

// MessageWriter writes one message. Its methods may be called by one goroutine
// at a time. Close must be called.
type MessageWriter struct {
	// Immutable.
	c    *Conn
	ctx  context.Context
	op   frame.Opcode
	opts []WriteOption
	stop func() bool // cancels the call of onContextEnd

	turn chan struct{} // held by a method, or by onContextEnd

	// Holder of turn only.
	buf   []byte // written and not sent
	tail  []byte // of a text: the last character, while that is incomplete
	begun bool   // a fragment has been sent
	err   error  // why nothing more can be written
}

// Write adds a copy of p to the message.
func (w *MessageWriter) Write(p []byte) (n int, err error) {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	if w.err != nil {
		return 0, w.err
	}
	if w.op == frame.Text && !w.check(p) {
		return 0, w.abandon(errNotUTF8)
	}
	for len(w.buf)+len(p)-n > fragmentSize {
		room := fragmentSize - len(w.buf)
		part := p[n : n+room]
		if len(w.buf) > 0 {
			part = append(w.buf, part...)
		}
		if err := w.send(part, false); err != nil {
			return n, err
		}
		n += room
	}
	w.buf = append(w.buf, p[n:]...)
	return len(p), nil
}

// Flush sends what has been written so far.
func (w *MessageWriter) Flush() error {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	return w.send(w.buf, false)
}

// Close sends the end of the message, and lets the next one begin. A nil error means
// the same as from Conn.Write. If the message had already ended, the error says why, or
// is ErrClosed.
func (w *MessageWriter) Close() error {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	switch {
	case w.err != nil:
		return w.err
	case len(w.tail) > 0:
		return w.abandon(errNotUTF8)
	}
	if err := w.send(w.buf, true); err != nil {
		return err
	}
	w.end(ErrClosed)
	return nil
}

// send sends the next fragment, which is what has been written and not sent. turn is
// held.
func (w *MessageWriter) send(p []byte, fin bool) error {
	op := w.op
	if w.begun {
		op = frame.Continuation
	}
	err := w.c.send(w.ctx, func(dst []byte) ([]byte, error) {
		w.c.cfg.CompressFrom = w.c.options.compressFrom(w.opts)
		return w.c.proto.AppendFragment(dst, op, p, fin)
	})
	if err != nil {
		return w.abandon(err)
	}
	w.begun = true
	w.buf = w.buf[:0]
	return nil
}

// check reports whether the text is still valid UTF-8 with p added, and keeps an
// incomplete character at its end in tail. turn is held.
func (w *MessageWriter) check(p []byte) bool {
	for ; len(w.tail) > 0 && len(p) > 0; p = p[1:] {
		w.tail = append(w.tail, p[0])
		if utf8.FullRune(w.tail) {
			if !utf8.Valid(w.tail) {
				return false
			}
			w.tail = w.tail[:0]
		}
	}
	whole := len(p)
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if last := p[len(p)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				whole -= i
			}
			break
		}
	}
	w.tail = append(w.tail, p[whole:]...)
	return utf8.Valid(p[:whole])
}

// onContextEnd abandons the message when ctx ends.
func (w *MessageWriter) onContextEnd() {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	if w.err == nil {
		w.abandon(w.ctx.Err())
	}
}

// abandon ends the message unfinished, and with it the connection if a fragment has
// been sent. It returns err. turn is held.
func (w *MessageWriter) abandon(err error) error {
	if w.begun {
		w.c.abort(fmt.Errorf("%w: a message was not finished: %w", ErrClosed, err))
	}
	w.end(err)
	return err
}

// end lets the next message begin. turn is held.
func (w *MessageWriter) end(err error) {
	w.err = err
	w.buf = nil
	w.stop()
	w.c.message.give()
}
