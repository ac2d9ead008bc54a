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

// socket is a connection whose other end is the test. It notes its requests and what it
// hears, in order.
type socket struct {
	p      *performance
	user   string
	conn   *chat.Connection
	client *client
	base   *model // what its client held before
	login  *login

	mu sync.Mutex
	// Guarded by mu.
	notes    []event
	asked    int
	answers  int
	closed   bool
	broken   string  // how the hub closed it
	withheld []event // by a stage
}

// event is what the model needs from a message. Type is "ask" for the socket's own
// requests.
type event struct {
	at            int64 // performance.time, when it was noted
	again         bool  // it was requested before, on another connection
	Type, Op, Ref string
	Event         string
	Sender        string `json:"sender_id"`
	Receiver      string `json:"receiver_id"`
	Content       string
	ID            string
	Epoch         string
	Seq           uint64
	Position      string
	ServerTS      int64 `json:"server_ts"`
	Reason        string
	Message       string

	Session  string `json:"session_id"`
	Key      string `json:"resume_key"`
	Resumed  bool
	Status   string
	Messages []event
	HasMore  bool `json:"has_more"`
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
	if s.closed || s.broken != "" { // nothing is sent after the Close frame
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

// closedError says how the hub has closed a connection.
type closedError string

func (e closedError) Error() string { return string(e) }

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
	s.say(op, receiver, content, ref)
}

func (s *socket) say(op, receiver, content, ref string) {
	body := `{"type":"` + op + `","receiver_id":"` + receiver + `","ref":"` + ref + `"`
	if content != "" {
		body += `,"content":"` + content + `"`
	}
	s.conn.Handle(frame.Text, []byte(body+"}"))
}

// again sends a request that the client has sent on another connection.
func (s *socket) again(ev event) {
	ev.again = true
	s.mu.Lock()
	s.asked++
	s.note(ev)
	s.mu.Unlock()
	s.say(ev.Op, ev.Receiver, ev.Content, ev.Ref)
}

// logOut asks for the end of sessions. field says which.
func (s *socket) logOut(id, field string) (ref string, at int64) {
	s.mu.Lock()
	ref = fmt.Sprint("ask ", s.asked)
	s.asked++
	s.note(event{Type: "ask", Op: "logout", Content: id, Ref: ref})
	at = s.p.time.Load()
	s.mu.Unlock()
	s.conn.Handle(frame.Text, []byte(`{"type":"logout","ref":"`+ref+`"`+field+`}`))
	return ref, at
}

func (s *socket) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.conn.Closed()
}

// answered reports whether all requests of a connection are answered. Called with mu
// held.
func (s *socket) answered() bool { return s.answers >= s.asked }

// await waits until a condition is true, which is called with mu held.
func (s *socket) await(holds func() bool) error {
	for deadline := time.Now().Add(s.p.patience); ; time.Sleep(100 * time.Microsecond) {
		s.mu.Lock()
		ok, broken := holds(), s.broken
		s.mu.Unlock()
		switch {
		case ok:
			return nil
		case broken != "":
			return closedError(s.user + ": " + broken)
		case time.Now().After(deadline):
			s.mu.Lock()
			defer s.mu.Unlock()
			return fmt.Errorf("%s waited in vain, having noted %s", s.user, s.story())
		}
	}
}

// missed returns the messages that resume has brought. Called with mu held.
func (s *socket) missed() (all []event) {
	for _, ev := range s.notes {
		all = append(all, ev.Messages...)
	}
	return all
}

// story describes what a socket has noted, for people. Called with mu held.
func (s *socket) story() string {
	text := ""
	for _, ev := range s.notes {
		text += "\n\t"
		switch ev.Type {
		case "resume":
			text += fmt.Sprintf("resume %s %s: seq %d of %s, %d messages", ev.Status, ev.Receiver, ev.Seq, ev.Epoch, len(ev.Messages))
			for _, m := range ev.Messages {
				text += fmt.Sprintf("\n\t\t%s: %q, seq %d of %s", m.ID, m.Content, m.Seq, m.Epoch)
			}
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
