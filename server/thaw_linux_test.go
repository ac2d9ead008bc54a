package server

import (
	"bytes"
	"testing"

	"github.com/hawser-ws/hawser/server/handover"
)

// States that no Freeze has made are refused, and so is half of it.
func TestThawRefuses(t *testing.T) {
	m := newMover()
	a := startMover(t, moverConfig(m))
	c := a.dial(t, "/value")
	c.text("hello")
	c.expect(`text "hello"`)
	f := freeze(t, a.Server)
	var messages []handover.Message
	for msg, err := range f.Messages(StateFormat.Newest) {
		if err != nil {
			t.Fatal(err)
		}
		msg.Data = bytes.Clone(msg.Data)
		for i, fd := range msg.Descriptors {
			msg.Descriptors[i], _ = duplicate(fd)
		}
		msg.Descriptors = append([]int(nil), msg.Descriptors...)
		messages = append(messages, msg)
	}
	f.Thaw()
	conns := messages[1]
	receiveAll := func(change func(ms []handover.Message)) error {
		ms := append([]handover.Message(nil), messages...)
		ms[0].Descriptors, _ = dupAll(ms[0].Descriptors)
		change(ms)
		s := startNew(t, moverConfig(newMover()))
		defer s.Shutdown(t.Context())
		to, err := s.Thaw()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			if _, err := to.Receive(m); err != nil {
				if to.Complete() == nil {
					t.Error("complete in spite of an error")
				}
				letGo(to)
				return err
			}
		}
		err = to.Complete()
		letGo(to)
		return err
	}
	if err := receiveAll(func([]handover.Message) {}); err != nil {
		t.Errorf("as it was: %v", err)
	}
	for n := range conns.Data {
		if receiveAll(func(ms []handover.Message) { ms[1].Data = conns.Data[:n] }) == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(conns.Data))
		}
	}
	for name, change := range map[string]func(ms []handover.Message){
		"a byte more":         func(ms []handover.Message) { ms[1].Data = append(bytes.Clone(conns.Data), 0) },
		"no connections":      func(ms []handover.Message) { ms[1].Descriptors, ms[1].Data = nil, nil },
		"another kind":        func(ms []handover.Message) { ms[1].Kind = 0xFF },
		"no end":              func(ms []handover.Message) { ms[2] = handover.Message{Kind: kindListeners} },
		"the end twice":       func(ms []handover.Message) { ms[1] = ms[2] },
		"of another endpoint": func(ms []handover.Message) { ms[1].Data = append([]byte("\x01x"), conns.Data[1:]...) },
		"without its own bytes": func(ms []handover.Message) {
			ms[1].Data = bytes.Replace(conns.Data, []byte("\x06/value"), []byte{0}, 1)
		},
	} {
		if err := receiveAll(change); err == nil {
			t.Errorf("%s: it is accepted", name)
		}
	}
	c.text("still here")
	c.expect(`text "still here"`)
}

func dupAll(fds []int) (dups []int, err error) {
	for _, fd := range fds {
		dup, err := duplicate(fd)
		if err != nil {
			return nil, err
		}
		dups = append(dups, dup)
	}
	return dups, nil
}

// letGo ends a Thawing as the exit of its process would.
func letGo(to *Thawing) {
	for i, h := range to.holds {
		l := to.s.loops[i]
		h.do(func() {
			for c := range l.present() {
				c.fd, c.flags = int32(-1), c.flags&^flagOpened
				l.end(c)
				l.forget(c)
			}
			l.reap()
		})
		close(h.run)
	}
	for _, ln := range to.listeners {
		ln.Close()
	}
}
