package server

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"syscall"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// frozenConn is a connection as one process hands it to another, without its descriptor.
// Times are ages in ticks.
type frozenConn struct {
	endpoint  string
	role      wsproto.Role
	phase     phase
	flags     frozenFlags
	handshake *handshake.Result // nil for the zero Result

	maxMessage int // what SetMaxMessage was given; 0: it was not called
	wanted     int // with frozenTell: loop.wanted

	proto    []byte // from wsproto.Conn.AppendState
	unread   []byte // input that the protocol has not seen
	queue    []byte // what waits to be written
	torn     int    // bytes of it that complete a partly written frame
	progress uint32 // age of outbox.lastProgress
	heard    uint32 // age of conn.heard
	began    uint32 // age of conn.began
	pinged   uint8
	remote   netip.AddrPort // the client's address, if it differs from the socket's peer
	address  netip.Prefix   // the address it counts for, if any
	why      *CloseError
	app      []byte // from Freezer.Freeze
}

type frozenFlags uint8

const (
	frozenAssembling frozenFlags = 1 << iota
	frozenEOF
	frozenFull
	frozenPaused
	frozenTell
	allFrozen = 1<<iota - 1
)

// frozenBits says which flags of a conn are carried, and how.
var frozenBits = []struct {
	conn   flags
	frozen frozenFlags
}{{flagAssembling, frozenAssembling}, {flagEOF, frozenEOF}, {flagFull, frozenFull}, {flagPaused, frozenPaused}, {flagTell, frozenTell}}

// maxText bounds names and reasons in a record, maxValues their number in a header.
const (
	maxText   = 4 << 10
	maxValues = 1 << 10
)

func (f *frozenConn) append(dst []byte) []byte {
	dst = snapshot.AppendString(dst, f.endpoint)
	dst = append(dst, byte(f.role), byte(f.phase), byte(f.flags))
	dst = appendHandshake(dst, f.handshake)
	dst = snapshot.AppendInt(snapshot.AppendInt(dst, f.maxMessage), f.wanted)
	dst = snapshot.AppendBytes(dst, f.proto)
	dst = snapshot.AppendBytes(dst, f.unread)
	dst = snapshot.AppendBytes(dst, f.queue)
	dst = snapshot.AppendInt(dst, f.torn)
	for _, age := range []uint32{f.progress, f.heard, f.began} {
		dst = snapshot.AppendUint(dst, uint64(age))
	}
	dst = append(dst, f.pinged)
	dst = snapshot.AppendBytes(dst, marshalled(f.remote))
	dst = snapshot.AppendBytes(dst, marshalled(f.address))
	dst = appendWhy(dst, f.why)
	return snapshot.AppendBytes(dst, f.app)
}

// readFrozen reads one. Its slices are parts of the Reader's bytes.
func readFrozen(r *snapshot.Reader) *frozenConn {
	f := &frozenConn{endpoint: r.String(maxText), role: wsproto.Role(r.Byte()), phase: phase(r.Byte()), flags: frozenFlags(r.Byte())}
	f.handshake = readHandshake(r)
	f.maxMessage, f.wanted = r.Int(math.MaxInt32), r.Int(math.MaxInt32)
	f.proto = r.Bytes(r.Len())
	f.unread = r.Bytes(r.Len())
	f.queue = r.Bytes(r.Len())
	f.torn = r.Int(len(f.queue))
	f.progress, f.heard, f.began = r.Uint32(), r.Uint32(), r.Uint32()
	f.pinged = r.Byte()
	unmarshal(r, &f.remote)
	unmarshal(r, &f.address)
	f.why = readWhy(r)
	f.app = r.Bytes(r.Len())
	if f.role > wsproto.Client || f.phase < open || f.phase >= gone || f.flags > allFrozen || (f.why != nil) != (f.phase >= closing) {
		r.Fail()
	}
	return f
}

// netipValue is an address of package netip.
type netipValue interface {
	IsValid() bool
	AppendBinary([]byte) ([]byte, error)
}

// marshalled returns an address's bytes, none for the zero value.
func marshalled(a netipValue) []byte {
	if !a.IsValid() {
		return nil
	}
	b, _ := a.AppendBinary(nil) // there are no errors
	return b
}

func unmarshal(r *snapshot.Reader, a interface {
	netipValue
	UnmarshalBinary([]byte) error
}) {
	b := r.Bytes(maxText)
	if len(b) > 0 && (a.UnmarshalBinary(b) != nil || !bytes.Equal(marshalled(a), b)) {
		r.Fail()
	}
}

func appendHandshake(dst []byte, res *handshake.Result) []byte {
	if res == nil {
		return append(dst, 0)
	}
	dst = snapshot.AppendString(append(dst, 1), res.Subprotocol)
	dst = snapshot.AppendBool(dst, res.Deflate != nil)
	if d := res.Deflate; d != nil {
		dst = snapshot.AppendBool(snapshot.AppendBool(dst, d.ServerNoContextTakeover), d.ClientNoContextTakeover)
		dst = append(dst, d.ServerMaxWindowBits, d.ClientMaxWindowBits)
	}
	dst = snapshot.AppendBool(dst, res.Header != nil)
	if res.Header == nil {
		return dst
	}
	names := make([]string, 0, len(res.Header))
	for name := range res.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = snapshot.AppendInt(dst, len(names))
	for _, name := range names {
		dst = snapshot.AppendString(dst, name)
		dst = snapshot.AppendInt(dst, len(res.Header[name]))
		for _, v := range res.Header[name] {
			dst = snapshot.AppendString(dst, v)
		}
	}
	return dst
}

func readHandshake(r *snapshot.Reader) *handshake.Result {
	if !r.Bool() {
		return nil
	}
	res := &handshake.Result{Subprotocol: r.String(maxText)}
	if r.Bool() {
		res.Deflate = &wsproto.Deflate{
			ServerNoContextTakeover: r.Bool(), ClientNoContextTakeover: r.Bool(),
			ServerMaxWindowBits: r.Byte(), ClientMaxWindowBits: r.Byte(),
		}
	}
	if r.Bool() {
		res.Header = http.Header{}
		for range r.Int(maxValues) {
			name := r.String(r.Len())
			for range r.Int(maxValues) {
				res.Header[name] = append(res.Header[name], r.String(r.Len()))
			}
		}
	}
	return res
}

// The kinds of a CloseError's Err.
const (
	whyNone = iota
	whyEOF
	whyErrno
	whyPeer
	whyCause // one of this package's errors, by its number in causes
	whyOther // its text
)

func appendWhy(dst []byte, why *CloseError) []byte {
	if why == nil {
		return append(dst, 0)
	}
	dst = snapshot.AppendUint(append(dst, 1), uint64(why.Code))
	dst = snapshot.AppendString(dst, why.Reason)
	dst = snapshot.AppendBool(dst, why.Local)
	var peer *wsproto.PeerError
	var errno syscall.Errno
	cause, known := causes[why.Err]
	switch {
	case why.Err == nil:
		return append(dst, whyNone)
	case errors.As(why.Err, &peer):
		return snapshot.AppendString(snapshot.AppendUint(append(dst, whyPeer), uint64(peer.Code)), peer.Reason)
	case errors.As(why.Err, &errno):
		return snapshot.AppendUint(append(dst, whyErrno), uint64(errno))
	case errors.Is(why.Err, io.EOF):
		return append(dst, whyEOF)
	case known:
		return append(dst, whyCause, byte(cause))
	}
	text := why.Err.Error()
	return snapshot.AppendString(append(dst, whyOther), text[:min(len(text), maxText)])
}

func readWhy(r *snapshot.Reader) *CloseError {
	if !r.Bool() {
		return nil
	}
	why := &CloseError{Code: wsproto.CloseCode(r.Uint(1<<16 - 1)), Reason: r.String(maxText), Local: r.Bool()}
	switch r.Byte() {
	case whyNone:
	case whyEOF:
		why.Err = io.EOF
	case whyErrno:
		why.Err = syscall.Errno(r.Uint(1<<16 - 1))
	case whyPeer:
		why.Err = &wsproto.PeerError{Code: wsproto.CloseCode(r.Uint(1<<16 - 1)), Reason: r.String(maxText)}
	case whyCause:
		cause := cause(r.Byte())
		for err, c := range causes {
			if c == cause {
				why.Err = err
			}
		}
		if why.Err == nil {
			r.Fail()
		}
	case whyOther:
		why.Err = errors.New(r.String(maxText))
	default:
		r.Fail()
	}
	return why
}
