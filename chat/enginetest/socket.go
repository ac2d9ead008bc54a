package enginetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// socket is a connection whose other end is the test. It notes what it asks and hears, in
// order.
type socket struct {
	p      *performance
	user   string
	conn   *chat.Connection
	opened int // at which step

	mu sync.Mutex
	// Guarded by mu.
	notes    []event
	asked    int
	answers  int
	closed   bool
	broken   string  // how the hub closed it
	withheld []event // by a stage
}

// event is what the model needs of a message. Type is "ask" for what the socket asked.
type event struct {
	at            int64 // performance.time, when it was noted
	Type, Op, Ref string
	Event         string
	Sender        string `json:"sender_id"`
	Receiver      string `json:"receiver_id"`
	Content       string
	ID            string
	Epoch         string
	Seq           uint64
	Reason        string
	Message       string
}

// Flushed implements chat.Socket.
func (s *socket) Flushed(f func(int)) { f(0) }

// SendPrepared implements chat.Socket.
func (s *socket) SendPrepared(m *wsproto.Prepared) error {
	var ev event
	if err := json.Unmarshal(m.Payload(), &ev); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if s.p.send != nil {
		s.p.send(s, ev)
	} else {
		s.hear(ev)
	}
	return nil
}

// hear notes a message. Called with mu held.
func (s *socket) hear(ev event) {
	s.note(ev)
	if ev.Ref != "" {
		s.answers++
	}
}

// note notes something. Called with mu held.
func (s *socket) note(ev event) {
	ev.at = s.p.time.Add(1)
	s.notes = append(s.notes, ev)
}

// Close implements chat.Socket.
func (s *socket) Close(code wsproto.CloseCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = fmt.Sprintf("closed with %d %s", code, reason)
}

// Pause implements chat.Socket.
func (s *socket) Pause(bool) {}

// ask sends something that will be answered. Its ref is its content, or a number.
func (s *socket) ask(op, receiver, content string) {
	s.mu.Lock()
	ref := content
	if ref == "" {
		ref = fmt.Sprint("ask ", s.asked)
	}
	s.asked++
	s.note(event{Type: "ask", Op: op, Receiver: receiver, Content: content, Ref: ref})
	s.mu.Unlock()
	body := `{"type":"` + op + `","receiver_id":"` + receiver + `","ref":"` + ref + `"`
	if content != "" {
		body += `,"content":"` + content + `"`
	}
	s.conn.Handle(frame.Text, []byte(body+"}"))
}

func (s *socket) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.conn.Closed()
}

// answered is what a connection waits for. Called with mu held.
func (s *socket) answered() bool { return s.answers >= s.asked }

// await waits until something is true, which is asked with mu held.
func (s *socket) await(holds func() bool) error {
	for deadline := time.Now().Add(s.p.patience); ; time.Sleep(100 * time.Microsecond) {
		s.mu.Lock()
		ok, broken := holds(), s.broken
		s.mu.Unlock()
		switch {
		case ok:
			return nil
		case broken != "":
			return fmt.Errorf("%s: %s", s.user, broken)
		case time.Now().After(deadline):
			s.mu.Lock()
			defer s.mu.Unlock()
			return fmt.Errorf("%s waited in vain, having noted %s", s.user, s.story())
		}
	}
}

// story is what a socket has noted, for people. Called with mu held.
func (s *socket) story() string {
	text := ""
	for _, ev := range s.notes {
		text += "\n\t"
		switch ev.Type {
		case "ask":
			text += fmt.Sprint("asks ", ev.Op, " ", ev.Receiver, " ", ev.Content)
		case "error":
			text += fmt.Sprint("error ", ev.Reason, " to ", ev.Ref, ": ", ev.Message)
		default:
			text += fmt.Sprintf("%s %s %s of %s in %s: %q, seq %d of %s, ref %s", ev.Type, ev.Op+ev.Event, ev.ID, ev.Sender, ev.Receiver, ev.Content, ev.Seq, ev.Epoch, ev.Ref)
		}
	}
	return text
}
