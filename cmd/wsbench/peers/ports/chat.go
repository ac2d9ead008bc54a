package ports

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hawser-ws/hawser"
)

// room sends what a member says to all members. A member whose queue is full is left out
// from then on.
type room struct {
	mu      sync.Mutex
	members map[chan []byte]bool
}

func (m *room) join() chan []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := make(chan []byte, 16)
	m.members[q] = true
	return q
}

func (m *room) leave(q chan []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.members[q] {
		delete(m.members, q)
		close(q)
	}
}

func (m *room) say(p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for q := range m.members {
		select {
		case q <- p:
		default:
			delete(m.members, q)
			close(q)
		}
	}
}

const (
	writeWait = 10 * time.Second // for one message
	pongWait  = 60 * time.Second // until a silent client is given up
)

func (m *room) chatHawser(w http.ResponseWriter, r *http.Request) {
	c, err := hawser.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	q := m.join()
	defer m.leave(q)
	go func() {
		defer c.CloseNow()
		for err := error(nil); err == nil; {
			ctx, cancel := context.WithTimeout(r.Context(), writeWait)
			select {
			case p, ok := <-q:
				if !ok {
					c.Close(hawser.ClosePolicyViolation, "too slow")
				}
				err = c.Write(ctx, hawser.Text, p)
			case <-time.After(pongWait - writeWait):
				ctx, cancel = context.WithTimeout(r.Context(), writeWait)
				_, err = c.Ping(ctx)
			}
			cancel()
		}
	}()
	for {
		_, p, err := c.Read(r.Context())
		if err != nil {
			return
		}
		m.say(p)
	}
}

func (m *room) chatGorilla(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	q := m.join()
	defer m.leave(q)
	go func() {
		defer c.Close()
		for err := error(nil); err == nil; {
			select {
			case p, ok := <-q:
				c.SetWriteDeadline(time.Now().Add(writeWait))
				if !ok {
					text := websocket.FormatCloseMessage(websocket.ClosePolicyViolation, "too slow")
					c.WriteMessage(websocket.CloseMessage, text)
					return
				}
				err = c.WriteMessage(websocket.TextMessage, p)
			case <-time.After(pongWait - writeWait):
				err = c.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
			}
		}
	}()
	c.SetReadLimit(64 << 10)
	c.SetReadDeadline(time.Now().Add(pongWait))
	c.SetPongHandler(func(string) error {
		return c.SetReadDeadline(time.Now().Add(pongWait))
	})
	for {
		_, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		m.say(p)
	}
}
