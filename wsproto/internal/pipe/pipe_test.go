package pipe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestConn(t *testing.T) {
	a, b := New(10)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	go func() {
		a.Write(sent)
		a.CloseWrite()
	}()
	got, err := io.ReadAll(b)
	if !bytes.Equal(got, sent) || err != nil {
		t.Errorf("received %d bytes, %v; want %d", len(got), err, len(sent))
	}
	// The other direction is still open.
	if n, err := b.Write([]byte("back")); n != 4 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	b.Close()
	p := make([]byte, 10)
	if n, err := a.Read(p); string(p[:n]) != "back" || err != nil {
		t.Errorf("Read = %q, %v", p[:n], err)
	}
	if _, err := a.Read(p); err != io.EOF {
		t.Errorf("Read after the end = %v; want EOF", err)
	}
	if _, err := b.Read(p); err != net.ErrClosed {
		t.Errorf("Read after Close = %v; want net.ErrClosed", err)
	}
	if _, err := a.Write(p); err != net.ErrClosed {
		t.Errorf("Write after CloseWrite = %v; want net.ErrClosed", err)
	}
	c, d := New(10)
	d.Close()
	if _, err := c.Write(p); err != io.ErrClosedPipe {
		t.Errorf("Write to a closed end = %v; want io.ErrClosedPipe", err)
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := New(10)
		p := make([]byte, 20)
		start := time.Now()
		a.SetDeadline(start.Add(time.Hour)) // replaced before it passes
		a.SetDeadline(start.Add(time.Second))
		if n, err := a.Write(p); n != 10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %d, %v; want 10, the deadline", n, err)
		}
		if _, err := a.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v; want the deadline", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("it took %v; want 1 s", d)
		}
		a.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Minute)
			a.SetReadDeadline(time.Unix(1, 0))
		}()
		if _, err := a.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute+time.Second {
			t.Errorf("Read = %v after %v", err, time.Since(start))
		}
	})
}
