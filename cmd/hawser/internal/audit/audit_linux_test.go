package audit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var ban = Entry{Who: "ada", From: "192.0.2.7", What: "ban", Subject: "u_bob", Reason: "spam <b> & \u202e",
	Until: time.Date(2026, 1, 2, 3, 14, 5, 0, time.FixedZone("", 3600))}

const banLine = `{"time":"2026-01-02T02:04:05.678Z","who":"ada","from":"192.0.2.7","what":"ban","subject":"u_bob","reason":"spam <b> & \u202e","until":"2026-01-02T02:14:05Z","result":"accepted"}` + "\n"

func open(t *testing.T, path string) *File {
	t.Helper()
	l, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.now = func() time.Time { return time.Date(2026, 1, 2, 2, 4, 5, 678_901_234, time.UTC) }
	return l
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func nothing(context.Context) error { return nil }

func TestLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, path)
	if err := Do(t.Context(), l, ban, func(context.Context) error {
		if got := contents(t, path); got != banLine {
			t.Errorf("when the act is done, the record is %q", got)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	away := errors.New("Redis is away")
	if err := Do(t.Context(), l, Entry{Who: Automatic, What: "kick", Subject: "u_eve"}, func(context.Context) error { return away }); err != away {
		t.Errorf("a failed act: %v", err)
	}
	if err := l.Record(t.Context(), Entry{Who: "ada", What: "unban", Subject: "x", Result: Refused, Detail: "no subject"}); err != nil {
		t.Fatal(err)
	}
	want := banLine + `{"time":"2026-01-02T02:04:05.678Z","who":"automatic","what":"kick","subject":"u_eve","result":"accepted"}
{"time":"2026-01-02T02:04:05.678Z","who":"automatic","what":"kick","subject":"u_eve","result":"failed","detail":"Redis is away"}
{"time":"2026-01-02T02:04:05.678Z","who":"ada","what":"unban","subject":"x","result":"refused","detail":"no subject"}
`
	if got := contents(t, path); got != want {
		t.Errorf("the record is\n%s\nwant\n%s", got, want)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
	l.Close()
	open(t, path)
	if got := contents(t, path); got != want {
		t.Errorf("opened again, it is\n%s", got)
	}
}

// An act that cannot be recorded is not done.
func TestFull(t *testing.T) {
	l := open(t, "/dev/full")
	err := Do(t.Context(), l, ban, func(context.Context) error {
		t.Error("it was done")
		return nil
	})
	var missing *NotRecordedError
	if !errors.As(err, &missing) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "not done") {
		t.Errorf("the error is %v", err)
	}
}

// brief records the first n entries, and then no more.
type brief struct {
	entries []Entry
	n       int
}

func (b *brief) Record(_ context.Context, e Entry) error {
	if len(b.entries) == b.n {
		return syscall.ENOSPC
	}
	b.entries = append(b.entries, e)
	return nil
}

// A failure that cannot be recorded is reported to the administrator who requested the act.
func TestFailureNotRecorded(t *testing.T) {
	away := errors.New("Redis is away")
	err := Do(t.Context(), &brief{n: 1}, ban, func(context.Context) error { return away })
	if !errors.Is(err, away) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "says only that it was accepted") {
		t.Errorf("the error is %v", err)
	}
}

// A line that was torn by a full disk, or by the death of the machine, spoils no other.
func TestTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	torn := `{"time":"2026-01-02T02:04:05.67`
	if err := os.WriteFile(path, []byte(banLine+torn), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, path)
	for range 2 {
		if err := Do(t.Context(), l, ban, nothing); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := contents(t, path), banLine+torn+"\n"+banLine+banLine; got != want {
		t.Errorf("the record is\n%s\nwant\n%s", got, want)
	}
}

// A file that was renamed, or removed, gets no more lines, with or without Reopen.
func TestRotated(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "audit"), filepath.Join(dir, "audit.1")
	l := open(t, path)
	record := func() {
		t.Helper()
		if err := Do(t.Context(), l, ban, nothing); err != nil {
			t.Fatal(err)
		}
	}
	record()
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	record()
	if contents(t, old) != banLine || contents(t, path) != banLine {
		t.Errorf("after a renaming: %q, %q", contents(t, old), contents(t, path))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil || contents(t, path) != "" {
		t.Errorf("after Reopen: %v, %q", err, contents(t, path))
	}
	record()
	if err := l.Reopen(); err != nil || contents(t, path) != banLine {
		t.Errorf("after another Reopen: %v, %q", err, contents(t, path))
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := Do(t.Context(), l, ban, func(context.Context) error { t.Error("it was done"); return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without its folder: %v", err)
	}
}

func TestOrdinaryLog(t *testing.T) {
	var b bytes.Buffer
	l := Log{slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))}
	e := ban
	e.Reason = "spam"
	if err := Do(t.Context(), l, e, func(context.Context) error { return errors.New("no") }); err == nil {
		t.Error("no error")
	}
	want := "level=INFO msg=audit who=ada from=192.0.2.7 what=ban subject=u_bob reason=spam until=2026-01-02T02:14:05.000Z result=accepted\n" +
		"level=INFO msg=audit who=ada from=192.0.2.7 what=ban subject=u_bob reason=spam until=2026-01-02T02:14:05.000Z result=failed detail=no\n"
	if b.String() != want {
		t.Errorf("the log is\n%swant\n%s", b.String(), want)
	}
}
