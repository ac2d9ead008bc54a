package main

import (
	"compress/flate"
	"context"
	"errors"
	"io"
	"net"
	"time"
	"unicode/utf8"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
)

// gobwas/ws is a set of parts. These are put together as the documents of wsutil and
// wsflate show it.

func serveGobwas(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		nc, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer nc.Close()
			e := wsflate.Extension{Parameters: wsflate.DefaultParameters}
			up := ws.Upgrader{Negotiate: e.Negotiate}
			if _, err := up.Upgrade(nc); err != nil {
				return
			}
			_, deflate := e.Accepted()
			newGobwasEcho(nc, nc, ws.StateServerSide, deflate).run()
		}()
	}
}

func echoGobwas(url string) error {
	d := ws.Dialer{Timeout: 10 * time.Second, Extensions: []httphead.Option{wsflate.DefaultParameters.Option()}}
	nc, br, hs, err := d.Dial(context.Background(), url)
	if err != nil {
		return err
	}
	defer nc.Close()
	var src io.Reader = nc
	if br != nil { // it has the bytes that came with the answer
		src = br
	}
	newGobwasEcho(nc, src, ws.StateClientSide, len(hs.Extensions) > 0).run()
	return nil
}

// gobwasEcho is one connection.
type gobwasEcho struct {
	nc       net.Conn
	control  wsutil.FrameHandlerFunc
	state    wsflate.MessageState
	r        wsutil.Reader
	w        *wsutil.Writer
	inflater *wsflate.Reader
	deflater *wsflate.Writer
}

func newGobwasEcho(nc net.Conn, src io.Reader, side ws.State, deflate bool) *gobwasEcho {
	e := &gobwasEcho{nc: nc}
	if deflate {
		side |= ws.StateExtended
	}
	e.control = wsutil.ControlFrameHandler(nc, side)
	e.r = wsutil.Reader{Source: src, State: side, CheckUTF8: !deflate, MaxMessageSize: maxMessage, OnIntermediate: e.control}
	e.w = wsutil.NewWriter(nc, side, 0)
	if deflate {
		e.r.Extensions = []wsutil.RecvExtension{&e.state}
		e.w.SetExtensions(&e.state)
	}
	e.inflater = wsflate.NewReader(nil, func(r io.Reader) wsflate.Decompressor { return flate.NewReader(r) })
	e.deflater = wsflate.NewWriter(nil, func(w io.Writer) wsflate.Compressor {
		f, _ := flate.NewWriter(w, flate.DefaultCompression)
		return f
	})
	return e
}

func (e *gobwasEcho) run() {
	for {
		h, err := e.r.NextFrame()
		if err == nil && h.OpCode.IsControl() {
			if e.control(h, &e.r) != nil {
				return // it has answered the Close
			}
			continue
		}
		var p []byte
		compressed := e.state.IsCompressed()
		if err == nil {
			p, err = e.read(compressed)
		}
		if err == nil && h.OpCode == ws.OpText && !utf8.Valid(p) {
			err = wsutil.ErrInvalidUTF8
		}
		if err != nil {
			e.fail(err)
			return
		}
		if e.write(h.OpCode, p, compressed) != nil {
			return
		}
	}
}

func (e *gobwasEcho) read(compressed bool) ([]byte, error) {
	if !compressed {
		return io.ReadAll(&e.r)
	}
	e.inflater.Reset(&e.r)
	return io.ReadAll(e.inflater)
}

func (e *gobwasEcho) write(op ws.OpCode, p []byte, compressed bool) error {
	e.w.ResetOp(op)
	var err error
	if compressed {
		e.deflater.Reset(e.w)
		if _, err = e.deflater.Write(p); err == nil {
			err = e.deflater.Close()
		}
	} else {
		_, err = e.w.Write(p)
	}
	return errors.Join(err, e.w.Flush())
}

// fail sends the code of a violation and ends, without a reset that would discard
// it.
func (e *gobwasEcho) fail(err error) {
	code := ws.StatusCode(0)
	switch {
	case errors.Is(err, wsutil.ErrInvalidUTF8):
		code = ws.StatusInvalidFramePayloadData
	case errors.As(err, new(ws.ProtocolError)):
		code = ws.StatusProtocolError
	default:
		return
	}
	f := ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))
	if e.r.State.ClientSide() {
		f = ws.MaskFrameInPlace(f)
	}
	ws.WriteFrame(e.nc, f)
	if tcp, ok := e.nc.(*net.TCPConn); ok {
		tcp.CloseWrite()
	}
	e.nc.SetReadDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, e.nc)
}
