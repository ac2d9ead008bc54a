package output

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// reader is the other end of a Writer.
type reader struct {
	mu sync.Mutex
	// Guarded by mu.
	got     bytes.Buffer
	blocked chan struct{} // not nil: a write waits for it to be closed
	room    int           // bytes that are taken before err
	err     error         // nil: all is taken
}

// change sets fields.
func (r *reader) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *reader) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.String()
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	blocked := r.blocked
	r.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		return r.got.Write(p)
	}
	n := min(r.room, len(p))
	r.got.Write(p[:n])
	r.room -= n
	return n, r.err
}

func note(dropped uint64) []byte { return fmt.Appendf(nil, "dropped %d\n", dropped) }

func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{blocked: make(chan struct{})}
		o := NewWriter(r, note)
		o.limit = 100
		var want strings.Builder
		for i := range 15 { // of ten bytes each
			s := fmt.Sprintf("line  %03d\n", i)
			if n, err := o.Write([]byte(s)); n != len(s) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			if i < 10 {
				want.WriteString(s)
			}
		}
		if n := o.Dropped(); n != 5 {
			t.Errorf("%d dropped; want 5", n)
		}
		close(r.blocked)
		synctest.Wait()
		want.WriteString("dropped 5\n")
		if r.String() != want.String() {
			t.Errorf("with nothing after it:\n%s", r)
		}
		io.WriteString(o, "after\n")
		if n := o.Close(time.Second); n != 5 {
			t.Errorf("%d dropped in the end; want 5", n)
		}
		if got := r.String(); got != want.String()+"after\n" {
			t.Errorf("in the end:\n%s", got)
		}
		io.WriteString(o, "too late\n")
		if n := o.Dropped(); n != 6 {
			t.Errorf("after Close: %d dropped; want 6", n)
		}
	})
}

// Drops are told of once for each half of the queue, not once for each line, and in
// their place.
func TestDropsAreToldOfInTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{blocked: make(chan struct{})}
		o := NewWriter(r, note)
		o.limit = 4
		write := func(lines ...string) {
			for _, l := range lines {
				io.WriteString(o, l+"\n")
			}
		}
		write("1", "2", "x", "y")
		first := r.blocked
		synctest.Wait() // the first line is being written
		r.change(func() { r.blocked = make(chan struct{}) })
		close(first)
		synctest.Wait() // and now the second one: half of the limit is free
		write("3", "z")
		close(r.blocked)
		synctest.Wait()
		write("4")
		o.Close(time.Second)
		if got, want := r.got.String(), "1\n2\ndropped 2\n3\ndropped 1\n4\n"; got != want {
			t.Errorf("%q; want %q", got, want)
		}
	})
}

// A line that a full disk took the first part of is completed when there is room.
func TestFullDisk(t *testing.T) {
	for _, full := range []error{syscall.ENOSPC, syscall.EFBIG, syscall.EDQUOT, syscall.EAGAIN} {
		synctest.Test(t, func(t *testing.T) {
			r := &reader{room: 8, err: full}
			o := NewWriter(r, note)
			io.WriteString(o, "first\nsecond\n")
			io.WriteString(o, "third\n")
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := r.String(); got != "first\nse" {
				t.Fatalf("%v: a full disk has %q", full, got)
			}
			r.change(func() { r.err = nil })
			time.Sleep(maxRetry)
			synctest.Wait()
			if got := r.String(); got != "first\nsecond\nthird\n" {
				t.Errorf("%v: %q", full, got)
			}
			if n := o.Close(time.Second); n != 0 {
				t.Errorf("%v: %d dropped", full, n)
			}
		})
	}
}

// If a reader went away in the middle of a line, the next one gets the whole line.
func TestReaderGone(t *testing.T) {
	for _, gone := range []error{syscall.EPIPE, syscall.ECONNRESET, syscall.EIO, io.ErrClosedPipe} {
		synctest.Test(t, func(t *testing.T) {
			r := &reader{room: 4, err: gone}
			o := NewWriter(r, note)
			io.WriteString(o, "first line\n")
			time.Sleep(time.Minute)
			synctest.Wait()
			r.change(func() { r.got.Reset(); r.err = nil })
			io.WriteString(o, "second\n")
			time.Sleep(maxRetry)
			synctest.Wait()
			if got := r.String(); got != "first line\nsecond\n" {
				t.Errorf("%v: the next reader has %q", gone, got)
			}
			o.Close(time.Second)
		})
	}
}

func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{blocked: make(chan struct{})}
		o := NewWriter(r, note)
		io.WriteString(o, "1\n")
		io.WriteString(o, "2\n")
		begin := time.Now()
		if n := o.Close(3 * time.Second); n != 2 {
			t.Errorf("%d dropped; want 2", n)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("a reader that does not read holds the end for %v", took)
		}
		close(r.blocked)
	})
	synctest.Test(t, func(t *testing.T) {
		o := NewWriter(&reader{err: syscall.EPIPE}, note)
		io.WriteString(o, "1\n")
		begin := time.Now()
		if n := o.Close(3 * time.Second); n != 1 {
			t.Errorf("%d dropped; want 1", n)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("a reader that is gone holds the end for %v", took)
		}
	})
}

// Lines logged just before the end are there, and a count of the missing ones.
func TestLogTellsOfDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{blocked: make(chan struct{})}
		log := NewLog(r, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) })
		log.limit = 200
		for i := range 10 {
			log.Info("message", "i", i)
		}
		dropped := log.Dropped()
		close(r.blocked)
		log.Close(time.Second)
		lines := strings.Split(strings.TrimSpace(r.String()), "\n")
		if dropped == 0 || len(lines) != 10-int(dropped)+1 {
			t.Errorf("%d lines, %d dropped", len(lines), dropped)
		}
		if last := lines[len(lines)-1]; !strings.Contains(last, fmt.Sprintf(`"dropped":%d}`, dropped)) || !strings.Contains(last, `"level":"ERROR"`) {
			t.Errorf("the last line is %s", last)
		}
	})
}
