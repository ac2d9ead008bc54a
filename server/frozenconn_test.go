package server

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"reflect"
	"syscall"
	"testing"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// frozenConns has every field and every kind of cause.
func frozenConns() []*frozenConn {
	all := []*frozenConn{{phase: open}, {
		endpoint: "chat", role: wsproto.Client, phase: open, flags: frozenPaused | frozenFull | frozenAssembling,
		handshake: &handshake.Result{Subprotocol: "v1", Deflate: &wsproto.Deflate{ClientNoContextTakeover: true, ServerMaxWindowBits: 9},
			Header: http.Header{"B": {"1", "2"}, "A": {""}}},
		maxMessage: 7, wanted: 8,
		proto: []byte("proto"), unread: []byte("unread"), queue: []byte("queue"), torn: 3, progress: 1, heard: 1 << 31, began: 2, pinged: 1,
		remote: netip.MustParseAddrPort("[2001:db8::1]:80"), address: netip.MustParsePrefix("2001:db8::/64"), app: []byte("app"),
	}}
	for _, err := range []error{nil, io.EOF, syscall.ECONNRESET, &wsproto.PeerError{Code: 1002, Reason: "why"}, ErrPanic, ErrOverBudget, errors.New("other")} {
		all = append(all, &frozenConn{phase: closing, why: &CloseError{Code: 1006, Reason: "reason", Local: true, Err: err}})
	}
	return all
}

func TestFrozenConnOnTheWire(t *testing.T) {
	for _, f := range frozenConns() {
		b := f.append(nil)
		r := snapshot.NewReader(b)
		got := readFrozen(r)
		if err := r.End(); err != nil {
			t.Errorf("%+v: %v", f, err)
			continue
		}
		for _, p := range []*[]byte{&got.proto, &got.unread, &got.queue, &got.app} {
			if len(*p) == 0 {
				*p = nil
			}
		}
		if !reflect.DeepEqual(got, f) {
			t.Errorf("%+v is read as %+v", f, got)
		}
		for n := range b {
			if r := snapshot.NewReader(b[:n]); readFrozen(r) == nil || r.End() == nil {
				t.Errorf("%+v: the first %d of %d bytes are read", f, n, len(b))
			}
		}
	}
}

// What is damaged is refused, or is what is written.
func TestFrozenConnDamaged(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	accepted := 0
	for range 20_000 {
		all := frozenConns()
		b := all[r.IntN(len(all))].append(nil)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		from := snapshot.NewReader(b)
		f := readFrozen(from)
		if from.End() != nil {
			continue
		}
		accepted++
		if again := f.append(nil); !bytes.Equal(again, b) && (f.handshake == nil || f.handshake.Header == nil) {
			t.Fatalf("%x is read as %x", b, again)
		}
	}
	t.Logf("%d are states", accepted)
}
