package server

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
)

// recordWriter writes TLS 1.3 records of its own making on a client's
// connection: what crypto/tls would never send. It derives the client's keys
// from the secret that a KeyLogWriter is told.
type recordWriter struct {
	t      *testing.T
	nc     net.Conn
	hash   func() hash.Hash
	keyLen int
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// keyLog keeps what a tls.Conn writes in the NSS key log format.
type keyLog struct{ bytes.Buffer }

// newRecordWriter goes on where tc stopped, after the given number of records
// under its application keys.
func newRecordWriter(t *testing.T, tc *tls.Conn, log *keyLog, written uint64) *recordWriter {
	t.Helper()
	w := &recordWriter{t: t, nc: tc.NetConn()}
	switch suite := tc.ConnectionState().CipherSuite; suite {
	case tls.TLS_AES_128_GCM_SHA256:
		w.hash, w.keyLen = sha256.New, 16
	case tls.TLS_AES_256_GCM_SHA384:
		w.hash, w.keyLen = sha512.New384, 32
	default: // this machine has no AES instructions
		t.Skipf("the standard library lets nobody use %s", tls.CipherSuiteName(suite))
	}
	for line := range strings.Lines(log.String()) {
		if f := strings.Fields(line); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			w.secret, _ = hex.DecodeString(f[2])
		}
	}
	w.rekey()
	w.seq = written
	return w
}

// expand is HKDF-Expand-Label without a context (RFC 8446 §7.1).
func (w *recordWriter) expand(label string, n int) []byte {
	w.t.Helper()
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(append(info, byte(len(label))), label...), 0)
	b, err := hkdf.Expand(w.hash, w.secret, string(info), n)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *recordWriter) rekey() {
	w.t.Helper()
	block, err := aes.NewCipher(w.expand("key", w.keyLen))
	if err != nil {
		w.t.Fatal(err)
	}
	if w.aead, err = cipher.NewGCM(block); err != nil {
		w.t.Fatal(err)
	}
	w.iv, w.seq = w.expand("iv", 12), 0
}

// update moves to the next keys (RFC 8446 §7.2).
func (w *recordWriter) update() {
	w.t.Helper()
	w.secret = w.expand("traffic upd", w.hash().Size())
	w.rekey()
}

const (
	recordHandshake = 22
	recordData      = 23
)

// KeyUpdate messages (RFC 8446 §4.6.3).
const (
	updateNotRequested = "\x18\x00\x00\x01\x00"
	updateRequested    = "\x18\x00\x00\x01\x01"
)

// seal makes one record.
func (w *recordWriter) seal(kind byte, content string) []byte {
	inner := append([]byte(content), kind)
	header := binary.BigEndian.AppendUint16([]byte{recordData, 3, 3}, uint16(len(inner)+w.aead.Overhead()))
	nonce := bytes.Clone(w.iv)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^w.seq)
	w.seq++
	return w.aead.Seal(header, nonce, inner, header)
}

// write is for what the server may refuse to take.
func (w *recordWriter) write(b []byte) error {
	w.nc.SetWriteDeadline(time.Now().Add(patience))
	_, err := w.nc.Write(b)
	return err
}

// dialRaw opens a connection and takes the writing over from crypto/tls.
func dialRaw(t *testing.T, cfg Config) (*testServer, *handshake.DialOptions, *client, *recordWriter) {
	t.Helper()
	ts, o, _ := startTLS(t, cfg)
	log := &keyLog{}
	o.TLSConfig.KeyLogWriter = log
	c := ts.dialWith(t, "/", o)
	return ts, o, c, newRecordWriter(t, c.nc.(*tls.Conn), log, 1) // the request was one record
}

// T02: key updates are obeyed, a flood of them that carries nothing ends the
// connection, and so do many in one record. None waits for anything.
func TestT02KeyUpdateFlood(t *testing.T) {
	const flood = 1000
	for name, send := range map[string]func(w *recordWriter) []byte{
		"records": func(w *recordWriter) (b []byte) {
			for range flood {
				b = append(b, w.seal(recordHandshake, updateNotRequested)...)
				w.update()
			}
			return b
		},
		"records that want an answer": func(w *recordWriter) (b []byte) {
			for range flood {
				b = append(b, w.seal(recordHandshake, updateRequested)...)
				w.update()
			}
			return b
		},
		"one record": func(w *recordWriter) []byte {
			return w.seal(recordHandshake, strings.Repeat(updateNotRequested, flood))
		},
		"one record that wants answers": func(w *recordWriter) []byte {
			return w.seal(recordHandshake, strings.Repeat(updateRequested, flood))
		},
	} {
		t.Run(name, func(t *testing.T) {
			causes := make(chan error, 2)
			ts, o, c, w := dialRaw(t, Config{Loops: 1, Handler: funcs{message: echo, close: end(causes)}})
			// A few are what any peer may do.
			b := w.seal(recordData, string(masked(0x81, "before")))
			for range 3 {
				b = append(b, w.seal(recordHandshake, updateRequested)...)
				w.update()
				b = append(b, w.seal(recordData, string(masked(0x81, "between")))...)
			}
			w.write(b)
			c.expect(`text "before"`, `text "between"`, `text "between"`, `text "between"`)

			w.write(send(w))
			if err := receive(t, causes); !strings.Contains(err.Error(), "tls: ") {
				t.Errorf("it ended with %v", err)
			}
			other := ts.dialWith(t, "/", o)
			other.text("x")
			other.expect(`text "x"`)
		})
	}
}

// T02: who wants key updates answered and reads nothing is cut off, although
// there is a byte of a message between any two of them: what TLS has to say by
// itself is bounded, too.
func TestT02KeyUpdateAnswersUnread(t *testing.T) {
	causes := make(chan error, 1)
	peer := new(gate)
	_, _, c, w := dialRaw(t, Config{Loops: 1, newKernel: peer.kernels(), Handler: funcs{message: echo, close: end(causes)}})
	w.write(w.seal(recordData, string(masked(0x81, "x"))))
	c.expect(`text "x"`)
	peer.room.Store(0)
	var b []byte
	for _, data := range masked(0x82, strings.Repeat("x", 1000)) {
		b = append(b, w.seal(recordHandshake, updateRequested)...)
		w.update()
		b = append(b, w.seal(recordData, string([]byte{data}))...)
	}
	w.write(b)
	if err := receive(t, causes); !strings.Contains(err.Error(), errTLSAnswers.Error()) {
		t.Errorf("it ended with %v; want %v", err, errTLSAnswers)
	}
}

// R14 over TLS: a turn ends after so many records, however little is in them.
func TestR14TinyRecords(t *testing.T) {
	got := make(chan string, 1)
	ts, _, _, w := dialRaw(t, Config{Loops: 1, Handler: funcs{message: func(_ LoopConn, _ frame.Opcode, p []byte) { got <- string(p) }}})
	const n = 4096
	var b []byte
	for _, data := range masked(0x82, strings.Repeat("x", n)) {
		b = append(b, w.seal(recordData, string([]byte{data}))...)
	}
	l := ts.loops[0]
	var before uint64
	l.call(func() {
		before = l.stats.iterations.Load()
		w.write(b) // the kernel takes it whole while the loop is here
	})
	if s := receive(t, got); len(s) != n {
		t.Fatalf("%d bytes", len(s))
	}
	ts.clock.settle()
	if iterations := l.stats.iterations.Load() - before; iterations < n*tlsRecordCost/tlsTurn {
		t.Errorf("%d records took %d iterations; want at least %d", n, iterations, n*tlsRecordCost/tlsTurn)
	}
}
