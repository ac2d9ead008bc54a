package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// maxMessage bounds a message of a browser: a screenshot is one.
const maxMessage = 64 << 20

// rpc is what the Chrome DevTools Protocol and WebDriver BiDi have in common: commands
// with an id, their results, and events, as JSON over a WebSocket.
type rpc struct {
	conn *wsconn.Conn
	done chan struct{} // closed when the connection is over

	mu      sync.Mutex
	err     error                   // Guarded by mu. Why it is over.
	last    int                     // Guarded by mu. The last id.
	waiting map[int]chan<- *message // Guarded by mu.
	events  []*expectation          // Guarded by mu.
}

// message is a command, a result or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"` // the tab, in the DevTools Protocol
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
	Message string          `json:"message,omitempty"` // of an error in BiDi
}

// expectation waits for an event.
type expectation struct {
	is    func(method, session string, params json.RawMessage) bool
	found chan struct{}
}

func dialRPC(ctx context.Context, url string) (*rpc, error) {
	conn, err := wsconn.Dial(ctx, url, &wsconn.DialOptions{MaxMessage: maxMessage, MaxFragments: -1})
	if err != nil {
		return nil, err
	}
	r := &rpc{conn: conn, done: make(chan struct{}), waiting: map[int]chan<- *message{}}
	go r.read()
	return r, nil
}

// read handles all that the browser sends.
func (r *rpc) read() {
	defer close(r.done)
	for {
		_, p, err := r.conn.Read(context.Background())
		if err == nil {
			err = r.handle(p)
		}
		if err != nil {
			r.mu.Lock()
			r.err = fmt.Errorf("%w: %w", errEnded, err)
			r.mu.Unlock()
			r.conn.CloseNow()
			return
		}
	}
}

func (r *rpc) handle(p []byte) error {
	var params json.RawMessage
	m := &message{Params: &params}
	if err := json.Unmarshal(p, m); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Method == "" {
		if c, ok := r.waiting[m.ID]; ok {
			delete(r.waiting, m.ID)
			c <- m
		}
		return nil
	}
	r.events = slices.DeleteFunc(r.events, func(e *expectation) bool {
		if e.is(m.Method, m.Session, params) {
			close(e.found)
			return true
		}
		return false
	})
	return nil
}

// call sends a command and stores what it returns in result, unless that is nil.
func (r *rpc) call(ctx context.Context, session, method string, params, result any) error {
	answer := make(chan *message, 1)
	r.mu.Lock()
	r.last++
	id := r.last
	r.waiting[id] = answer
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.waiting, id)
		r.mu.Unlock()
	}()

	p, err := json.Marshal(message{ID: id, Session: session, Method: method, Params: params})
	if err != nil {
		return err
	}
	if err := r.conn.Write(ctx, frame.Text, p); err != nil {
		return fmt.Errorf("%s: %w: %w", method, errEnded, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %s %s", method, m.Error, m.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-r.done:
		return fmt.Errorf("%s: %w", method, r.over())
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
}

// expect waits for an event from now on. is runs in the reader, so it must not wait.
func (r *rpc) expect(is func(method, session string, params json.RawMessage) bool) *expectation {
	e := &expectation{is, make(chan struct{})}
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	return e
}

func (r *rpc) forget(e *expectation) {
	r.mu.Lock()
	r.events = slices.DeleteFunc(r.events, func(other *expectation) bool { return other == e })
	r.mu.Unlock()
}

func (r *rpc) wait(ctx context.Context, e *expectation) error {
	select {
	case <-e.found:
		return nil
	case <-r.done:
		return r.over()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *rpc) over() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// eventOf returns an expectation's function for one kind of event.
func eventOf(session, method string) func(string, string, json.RawMessage) bool {
	return func(m, s string, _ json.RawMessage) bool { return m == method && s == session }
}
