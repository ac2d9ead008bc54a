//go:build linux

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// How long a client waits. The server's own limit for an operation is 5 s.
const (
	dialTime   = 3 * time.Second
	authTime   = 7 * time.Second
	writeTime  = 3 * time.Second
	beatEvery  = 2 * time.Second
	beatTime   = 6 * time.Second  // then the connection is given up
	answerTime = 45 * time.Second // then a request on a connection that is alive has been forgotten: up to nine others wait before it
)

// packet is a message of the protocol, in either direction.
type packet struct {
	Type       string   `json:"type"`
	Ref        string   `json:"ref,omitempty"`
	Token      string   `json:"token,omitempty"`
	SessionID  string   `json:"session_id,omitempty"`
	ResumeKey  string   `json:"resume_key,omitempty"`
	Resume     *held    `json:"resume,omitempty"`
	Resumed    bool     `json:"resumed,omitempty"`
	Status     string   `json:"status,omitempty"`
	Position   string   `json:"position,omitempty"`
	Features   []string `json:"features,omitempty"`
	ReceiverID string   `json:"receiver_id,omitempty"`
	Content    *string  `json:"content,omitempty"`
	AfterSeq   *uint64  `json:"after_seq,omitempty"`
	Limit      int      `json:"limit,omitempty"`
	Op         string   `json:"op,omitempty"`
	Event      string   `json:"event,omitempty"`
	SenderID   string   `json:"sender_id,omitempty"`
	UserID     string   `json:"user_id,omitempty"`
	ID         string   `json:"id,omitempty"`
	Seq        uint64   `json:"seq,omitempty"`
	Epoch      string   `json:"epoch,omitempty"`
	ServerTS   int64    `json:"server_ts,omitempty"`
	Code       int      `json:"code,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	Message    string   `json:"message,omitempty"`
	RetryAfter int      `json:"retry_after_ms,omitempty"`
	Messages   []packet `json:"messages,omitempty"`
	HasMore    bool     `json:"has_more,omitempty"`
	Damaged    []uint64 `json:"damaged,omitempty"`
	Users      []struct {
		UserID string `json:"user_id"`
	} `json:"users,omitempty"`
	Peers []packet `json:"peers,omitempty"`
	Rooms []packet `json:"rooms,omitempty"`
}

// held is what a client claims to hold.
type held struct {
	Positions map[string]string `json:"positions"`
	Since     int64             `json:"since"`
}

func (p *packet) text() string {
	if p.Content == nil {
		return ""
	}
	return *p.Content
}

// message is what the history checker needs to know about a chat message.
func (p *packet) message() consistency.Message {
	return consistency.Message{Sender: p.SenderID, Content: p.text(), ID: p.ID, Seq: p.Seq, Epoch: p.Epoch, ServerTS: p.ServerTS}
}

// link is an authenticated connection. Everything but in belongs to one goroutine.
type link struct {
	id   int
	node *node
	conn *wsconn.Conn
	in   chan packet // closed at the end
	ok   packet      // auth_ok

	began   time.Duration              // when
	flushes int64                      // how many there had been then
	pending map[string]*request        // by ref
	live    map[string]position        // delivered messages
	joined  map[string]bool            // the rooms that it is in
	muted   map[string]bool            // the rooms that it has muted
	silent  map[string]bool            // the rooms that it has muted at some time, and must join itself
	here    map[string]map[string]bool // by room: the users who are there, if it watches
	beat    time.Time                  // when the unanswered heartbeat was sent; zero: none
	beaten  time.Time                  // when the last one was sent
	asked   bool                       // the first question was asked
	ready   bool                       // and answered
}

// position is a place in a conversation.
type position struct {
	epoch string
	seq   uint64
}

// refusedError is the error by which a node answers auth.
type refusedError struct{ packet }

func (e *refusedError) Error() string { return fmt.Sprintf("%d %s: %s", e.Code, e.Reason, e.Message) }

// dial connects to a node, and sends auth.
func dial(ctx context.Context, n *node, auth packet) (*link, error) {
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := wsconn.Dial(dialing, "ws://"+n.relay.Addr+"/ws", &wsconn.DialOptions{MaxMessage: 4 << 20})
	if err != nil {
		return nil, err
	}
	l := &link{node: n, conn: conn, in: make(chan packet, 4096), pending: map[string]*request{}, live: map[string]position{}, joined: map[string]bool{}, muted: map[string]bool{}, silent: map[string]bool{}, here: map[string]map[string]bool{}}
	authing, cancelAuth := context.WithTimeout(ctx, authTime)
	defer cancelAuth()
	if err := l.write(authing, auth); err != nil {
		conn.CloseNow()
		return nil, err
	}
	for l.ok.Type != "auth_ok" {
		p, err := l.read(authing)
		if err == nil && p.Type == "error" {
			err = &refusedError{p}
		}
		if err != nil {
			conn.CloseNow()
			return nil, err
		}
		l.ok = p
	}
	go func() {
		defer close(l.in)
		for {
			p, err := l.read(context.Background())
			if err != nil {
				return
			}
			l.in <- p
		}
	}()
	return l, nil
}

func (l *link) read(ctx context.Context) (p packet, err error) {
	_, b, err := l.conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	return p, err
}

func (l *link) write(ctx context.Context, p packet) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	writing, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return l.conn.Write(writing, frame.Text, b)
}

// end closes the connection and reads what is left, so that nothing waits for this end.
func (l *link) end() {
	l.conn.CloseNow()
	for range l.in {
	}
}
