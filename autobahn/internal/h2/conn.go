package h2

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// The initial values of RFC 9113 §6.5.2 and §6.9.2.
const (
	initialWindow = 65535
	maxFrame      = 16384
)

// Preface begins a client's side of a connection (RFC 9113 §3.4).
const Preface = http2.ClientPreface

// Config configures one end. It is not modified.
type Config struct {
	Client bool
	// Window is the initial window of each stream, in bytes. 0: 65,535.
	Window uint32
	// HoldConn sends no window updates for the connection.
	HoldConn bool
	// Connect announces extended CONNECT (RFC 8441 §3).
	Connect bool
	// Delay is the time before the first SETTINGS frame.
	Delay time.Duration
	// Log is called with each frame except DATA. Nil: no logging.
	Log func(sent bool, what string)
	// Accept is called for each stream that the peer opens, on a goroutine of its own.
	Accept func(*Stream)
}

// Violation is something that the peer did and must not do. It ends the connection.
type Violation struct{ What string }

func (v *Violation) Error() string { return v.What }

// ErrNotHTTP2 is the end of a connection whose peer does not speak HTTP/2.
var ErrNotHTTP2 = errors.New("the answer is not HTTP/2")

// GoAway is the end of a connection that the peer gave up.
type GoAway struct{ Code http2.ErrCode }

func (g *GoAway) Error() string { return "GOAWAY with " + g.Code.String() }

// Conn is one end of a connection. All methods may be called by any goroutine.
type Conn struct {
	// Immutable.
	nc     net.Conn
	cfg    Config
	br     *bufio.Reader
	done   chan struct{} // the reader has ended
	sent   chan struct{} // the writer has ended
	accept sync.WaitGroup

	// The reader's.
	dec    *hpack.Decoder
	fields []wire.Field // of the header block that is being read

	mu   sync.Mutex
	cond sync.Cond
	// Guarded by mu.
	fr        *http2.Framer // writes into out
	out       bytes.Buffer  // not yet written
	enc       *hpack.Encoder
	block     bytes.Buffer // of enc
	streams   map[uint32]*Stream
	nextID    uint32
	newest    uint32 // of the peer's streams
	window    int64  // what may be sent
	allowed   int64  // what may be received
	initial   int64  // each stream's window for what is sent
	ours      int64  // each stream's window for what is received
	changing  []int64
	maxFrame  int
	settings  []map[http2.SettingID]uint32 // of the peer's SETTINGS frames
	announced bool                         // our SETTINGS have been sent
	early     bool                         // the peer used extended CONNECT before
	goAway    *GoAway
	violation *Violation
	err       error // why nothing more is read
	closing   bool
	pings     map[[8]byte]func()
	lastPing  uint64
}

// New begins a connection and sends the first bytes of its role. prior is what has already
// been read from nc, after a client's preface.
func New(nc net.Conn, cfg Config, prior []byte) *Conn {
	c := &Conn{nc: nc, cfg: cfg, br: bufio.NewReaderSize(io.MultiReader(bytes.NewReader(prior), nc), 32<<10),
		done: make(chan struct{}), sent: make(chan struct{}), streams: map[uint32]*Stream{}, pings: map[[8]byte]func(){},
		window: initialWindow, allowed: initialWindow, initial: initialWindow, ours: initialWindow, maxFrame: maxFrame, nextID: 1}
	c.cond.L = &c.mu
	c.fr = http2.NewFramer(&c.out, nil)
	c.fr.AllowIllegalWrites = true
	c.enc = hpack.NewEncoder(&c.block)
	if cfg.Window != 0 {
		c.ours = int64(cfg.Window)
	}
	if cfg.Client {
		c.out.WriteString(Preface)
	}
	c.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		c.fields = append(c.fields, wire.Field{Name: f.Name, Value: f.Value})
	})
	c.dec.SetMaxStringLength(wire.MaxHead)
	if cfg.Delay == 0 {
		c.announce()
	} else {
		time.AfterFunc(cfg.Delay, c.announce)
	}
	go c.write()
	go c.read()
	return c
}

// announce sends the first SETTINGS frame.
func (c *Conn) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: uint32(c.ours)}}
	if c.cfg.Client {
		list = append(list, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	}
	if c.cfg.Connect {
		list = append(list, http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
	}
	c.changing = append(c.changing, c.ours)
	c.log(true, "SETTINGS %v", list)
	c.fr.WriteSettings(list...)
	c.announced = true
	c.cond.Broadcast()
}

func (c *Conn) log(sent bool, format string, args ...any) {
	if c.cfg.Log != nil {
		c.cfg.Log(sent, fmt.Sprintf(format, args...))
	}
}

// write writes the queue, whose size the peer's windows bound.
func (c *Conn) write() {
	defer close(c.sent)
	for {
		c.mu.Lock()
		for c.out.Len() == 0 && !c.closing {
			c.cond.Wait()
		}
		p := bytes.Clone(c.out.Bytes())
		c.out.Reset()
		c.mu.Unlock()
		if len(p) == 0 {
			return
		}
		if _, err := c.nc.Write(p); err != nil {
			return
		}
	}
}

// Settled waits until the peer's first SETTINGS frame has come.
func (c *Conn) Settled(deadline time.Time) error {
	timer := time.AfterFunc(time.Until(deadline), c.wake)
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.settings) == 0 {
		switch {
		case c.err != nil:
			return c.err
		case !time.Now().Before(deadline):
			return errTimeout
		}
		c.cond.Wait()
	}
	return nil
}

// Settings are the peer's SETTINGS frames so far.
func (c *Conn) Settings() []map[http2.SettingID]uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.settings
}

// AllowsConnect reports whether the peer has announced extended CONNECT.
func (c *Conn) AllowsConnect() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.settings {
		if s[http2.SettingEnableConnectProtocol] != 0 {
			return true
		}
	}
	return false
}

// Announced waits until our SETTINGS have been sent, or the connection has ended.
func (c *Conn) Announced() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.announced && c.err == nil {
		c.cond.Wait()
	}
}

// Secure reports whether the connection uses TLS.
func (c *Conn) Secure() bool {
	_, ok := c.nc.(*tls.Conn)
	return ok
}

// Early reports whether the peer used extended CONNECT before it was announced.
func (c *Conn) Early() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.early
}

// Violation is what the peer did wrong; nil for nothing.
func (c *Conn) Violation() *Violation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.violation
}

// Err is why the connection has ended; nil while it has not. A GOAWAY with an error is an
// end, too.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.goAway != nil && c.goAway.Code != http2.ErrCodeNo && c.violation == nil {
		return c.goAway
	}
	return c.err
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Ping sends a PING frame and calls f, on another goroutine, when it is answered.
func (c *Conn) Ping(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastPing++
	data := [8]byte{'q', 'u', 'a', 'y', byte(c.lastPing >> 24), byte(c.lastPing >> 16), byte(c.lastPing >> 8), byte(c.lastPing)}
	c.pings[data] = f
	c.log(true, "PING %x", data)
	c.fr.WritePing(false, data)
	c.cond.Broadcast()
}

// GoAway sends a GOAWAY frame without an error: the peer opens no more streams, and
// existing ones go on.
func (c *Conn) GoAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log(true, "GOAWAY, last stream %d, NO_ERROR", c.newest)
	c.fr.WriteGoAway(c.newest, http2.ErrCodeNo, nil)
	c.cond.Broadcast()
}

// Shrink changes the initial window of streams, existing ones included.
func (c *Conn) Shrink(window uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changing = append(c.changing, int64(window))
	c.log(true, "SETTINGS INITIAL_WINDOW_SIZE = %d", window)
	c.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	c.cond.Broadcast()
}

// GrantConn lets the peer send n bytes more on the connection.
func (c *Conn) GrantConn(n uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allowed += int64(n)
	c.log(true, "WINDOW_UPDATE, connection, %d", n)
	c.fr.WriteWindowUpdate(0, n)
	c.cond.Broadcast()
}

func (c *Conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cond.Broadcast()
}

// Close sends what is queued, for at most a second, and closes the connection.
func (c *Conn) Close() {
	c.mu.Lock()
	if !c.closing && c.err == nil {
		c.fr.WriteGoAway(c.newest, http2.ErrCodeNo, nil)
	}
	c.closing = true
	c.cond.Broadcast()
	c.mu.Unlock()
	c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	<-c.sent
	c.nc.Close()
	<-c.done
	c.accept.Wait()
}
