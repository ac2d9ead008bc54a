package faulty

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// tunnel is one side of an HTTP/2 connection (RFC 9113). It has the same defect as the
// endpoints on its streams. One goroutine reads. Every goroutine that has something to
// send writes.
type tunnel struct {
	nc     net.Conn
	client bool
	defect string
	fr     *http2.Framer
	dec    *hpack.Decoder
	accept func(*tunnelStream) // a server's: called on a goroutine of its own
	tasks  sync.WaitGroup

	mu   sync.Mutex
	cond sync.Cond
	// Guarded by mu.
	enc      *hpack.Encoder
	block    bytes.Buffer
	streams  map[uint32]*tunnelStream
	next     uint32
	window   int64 // for what is sent
	initial  int64 // of each stream
	settled  bool  // the peer's SETTINGS have come
	connect  bool  // they allow extended CONNECT
	refused  int   // requests
	dead     bool
	fields   []hpack.HeaderField
	message  []byte // of all streams; only where that is the defect
	history  sync.Mutex
	inflated []byte // guarded by history: of all streams; only where that is the defect
}

func (t *tunnel) has(defect string) bool { return t.defect == defect }

const (
	tunnelWindow = 65535
	tunnelFrame  = 16384
)

func newTunnel(nc net.Conn, r io.Reader, client bool, defect string) *tunnel {
	t := &tunnel{nc: nc, client: client, defect: defect, fr: http2.NewFramer(nc, r), streams: map[uint32]*tunnelStream{}, next: 1, window: tunnelWindow, initial: tunnelWindow}
	t.fr.AllowIllegalWrites = true
	t.cond.L = &t.mu
	t.enc = hpack.NewEncoder(&t.block)
	t.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) { t.fields = append(t.fields, f) })
	return t
}

// start sends the beginning of a connection.
func (t *tunnel) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client {
		io.WriteString(t.nc, http2.ClientPreface)
		t.fr.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
		return
	}
	connect := func(v uint32) http2.Setting { return http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: v} }
	switch {
	case t.has("announces extended CONNECT late"):
		t.fr.WriteSettings()
		t.fr.WriteSettings(connect(1))
	case t.has("announces extended CONNECT with 2"):
		t.fr.WriteSettings(connect(2))
	default:
		t.fr.WriteSettings(connect(1))
	}
}

// run reads until the connection ends.
func (t *tunnel) run() {
	for {
		f, err := t.fr.ReadFrame()
		if err != nil || !t.frame(f) {
			break
		}
	}
	t.end()
	t.nc.Close()
	t.tasks.Wait()
}

// end tells the streams that the connection has ended.
func (t *tunnel) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dead = true
	t.cond.Broadcast()
}

// frame handles a frame. It is false if the connection ends.
func (t *tunnel) frame(f http2.Frame) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.cond.Broadcast()
	if t.has("reads nothing while a stream waits") && t.blocked() {
		limit := time.AfterFunc(5*time.Second, func() { t.end() })
		defer limit.Stop()
		for t.blocked() && !t.dead {
			t.cond.Wait()
		}
	}
	s := t.streams[f.Header().StreamID]
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return t.headers(f)
	case *http2.DataFrame:
		t.credit(0, f.Length)
		if s != nil {
			s.take(f)
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			t.settings(f)
		}
	case *http2.PingFrame:
		late := t.has("acknowledges no PING while a stream waits") && t.blocked()
		if !f.IsAck() && !late && !t.has("acknowledges no PING") {
			t.fr.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		switch {
		case f.StreamID == 0:
			t.window += int64(f.Increment)
		case s != nil:
			s.window += int64(f.Increment)
		}
	case *http2.RSTStreamFrame:
		if s != nil && t.has("sends on a stream that was reset") {
			time.AfterFunc(resetDelay, func() { s.goOn() })
		} else if s != nil {
			s.reset = true
		}
		return !t.has("ends the connection at RST_STREAM")
	case *http2.GoAwayFrame:
		return !t.has("ends the connection at GOAWAY") || f.ErrCode != http2.ErrCodeNo || len(t.streams) == 0
	}
	return !t.dead
}

// blocked reports whether a stream waits for a window. mu is held.
func (t *tunnel) blocked() bool {
	for _, s := range t.streams {
		if s.waits && !s.reset {
			return true
		}
	}
	return false
}

// settings takes the peer's SETTINGS. mu is held.
func (t *tunnel) settings(f *http2.SettingsFrame) {
	if v, ok := f.Value(http2.SettingInitialWindowSize); ok && !(t.settled && t.has("ignores a changed initial window")) {
		for _, s := range t.streams {
			if s.window += int64(v) - t.initial; s.window < 0 && t.has("takes a negative window for none") {
				s.window = 0
			}
		}
		t.initial = int64(v)
	}
	if v, ok := f.Value(http2.SettingEnableConnectProtocol); ok {
		t.connect = v == 1
	}
	t.settled = true
	t.fr.WriteSettingsAck()
}

// assembled is the message that all streams assemble, or makes it p.
func (t *tunnel) assembled(p []byte) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p != nil {
		t.message = bytes.Clone(p)
	}
	return bytes.Clone(t.message)
}

// credit lets the peer send n bytes more. mu is held.
func (t *tunnel) credit(id, n uint32) {
	if n > 0 && !t.has("gives no window back") {
		t.fr.WriteWindowUpdate(id, n)
	}
}

// headers takes a header block. mu is held.
func (t *tunnel) headers(f *http2.HeadersFrame) bool {
	t.fields = nil
	t.dec.Write(f.HeaderBlockFragment())
	for done := f.HeadersEnded(); !done; {
		more, err := t.fr.ReadFrame()
		if err != nil {
			return false
		}
		c := more.(*http2.ContinuationFrame)
		t.dec.Write(c.HeaderBlockFragment())
		if done = c.HeadersEnded(); t.has("takes no CONTINUATION frames") {
			t.fields = nil
		}
	}
	if t.dec.Close() != nil {
		return false
	}
	s := t.streams[f.StreamID]
	if s == nil {
		s = t.newStream(f.StreamID)
	}
	if s.head == nil {
		s.head = &tunnelHead{fields: slices.Clone(t.fields)}
	}
	s.ended = f.StreamEnded() && !t.has("ignores END_STREAM")
	if !t.client {
		t.tasks.Go(func() { t.accept(s) })
	}
	return true
}

// newStream is a stream that begins. mu is held.
func (t *tunnel) newStream(id uint32) *tunnelStream {
	s := &tunnelStream{t: t, id: id, window: t.initial}
	t.streams[id] = s
	return s
}

// tunnelHead is a header block.
type tunnelHead struct{ fields []hpack.HeaderField }

func (h *tunnelHead) values(name string) (list []string) {
	for _, f := range h.fields {
		if strings.EqualFold(f.Name, name) {
			list = append(list, f.Value)
		}
	}
	return list
}

func (h *tunnelHead) get(name string) string {
	if v := h.values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// head is the header block in the form that the endpoints use.
func (h *tunnelHead) head() *head {
	plain := &head{fields: map[string][]string{}}
	for _, f := range h.fields {
		plain.fields[f.Name] = append(plain.fields[f.Name], f.Value)
	}
	return plain
}
