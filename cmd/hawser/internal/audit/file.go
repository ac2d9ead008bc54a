package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/terminal"
)

// File is a Recorder that appends to a file. The file may be renamed at any time, to rotate it:
// the next entry is written to a new one with the old name.
type File struct {
	path string
	now  func() time.Time

	mu   sync.Mutex
	f    *os.File // Guarded by mu.
	torn bool     // Guarded by mu. The file does not end with a whole line.
}

// OpenFile opens the file, or makes it for this user only.
func OpenFile(path string) (*File, error) {
	l := &File{path: path, now: time.Now}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l, l.open()
}

// open opens the file that has the name now. The previous one stays if there is an error.
// Called with mu held.
func (l *File) open() error {
	// For reading, too, to see how it ends.
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	torn, err := isTorn(f)
	if err != nil {
		f.Close()
		return err
	}
	if l.f != nil {
		l.f.Close()
	}
	l.f, l.torn = f, torn
	syncFolder(l.path)
	return nil
}

// isTorn reports whether a file ends in the middle of a line, because the disk was full or the
// machine died.
func isTorn(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil && err != io.EOF {
		return false, err
	}
	return last[0] != '\n', nil
}

// Reopen makes sure that the open file is the one that has the name.
func (l *File) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.follow()
}

// follow opens the file again if it was renamed or removed. Called with mu held.
func (l *File) follow() error {
	named, err := os.Stat(l.path)
	if err == nil {
		var open os.FileInfo
		if open, err = l.f.Stat(); err == nil && os.SameFile(named, open) {
			return nil
		}
	}
	return l.open()
}

// Record appends a line and waits until it is on disk. If only a part of it could be written,
// that part stays, on a line of its own: an audit log is not shortened.
func (l *File) Record(_ context.Context, e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.follow(); err != nil {
		return err
	}
	e.Time = l.now()
	line, err := appendLine(nil, e)
	if err != nil {
		return err
	}
	if l.torn {
		line = append([]byte("\n"), line...)
	}
	n, err := l.f.Write(line)
	if n > 0 {
		l.torn = line[n-1] != '\n'
	}
	if err != nil {
		return err
	}
	return syncRegular(l.f)
}

// appendLine appends an entry as JSON. Characters that could disturb a terminal are escaped.
func appendLine(dst []byte, e Entry) ([]byte, error) {
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	if !e.Until.IsZero() {
		e.Until = e.Until.UTC().Truncate(time.Millisecond)
	}
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(terminal.NewFileWriter(b))
	enc.SetEscapeHTML(false)
	err := enc.Encode(e)
	return b.Bytes(), err
}

// syncRegular waits until a file is on disk. There is nothing to wait for with a pipe or a
// device.
func syncRegular(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Sync()
}

// syncFolder writes the name of a new file to disk, if the system does that for folders.
func syncFolder(path string) {
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		dir.Sync()
		dir.Close()
	}
}

// Close closes the file.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}
