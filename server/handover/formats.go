package handover

import (
	"errors"
	"fmt"

	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// ErrUnsupported is returned by Start on systems other than Linux.
var ErrUnsupported = errors.New("handover: this system cannot hand descriptors to a new process")

// ErrProcessOne is returned by Start in process 1, whose end is the end of all others.
var ErrProcessOne = errors.New("handover: this is process 1, with whose end the container ends: start a new one, and drain this one")

// RefusedError says why the other process refused to go on.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "handover: the other process refused: " + e.Reason }

// Format is something that is carried, and the versions of it that a process reads and writes.
type Format struct {
	Name           string
	Oldest, Newest int // from 1 to 65535
}

// Versions are the chosen versions by the name of the format.
type Versions map[string]int

// MaxDescriptors is the maximum number of descriptors in one message: Linux's SCM_MAX_FD.
const MaxDescriptors = 253

// Message is what Send has sent.
type Message struct {
	Kind byte // the caller's
	Data []byte

	// Descriptors belong to the receiver, which must not use them before Commit. They are
	// close-on-exec, and share their state, O_NONBLOCK for one, with those of the sender.
	Descriptors []int
}

const (
	maxFormats = 64
	maxName    = 64
	maxVersion = 1<<16 - 1
	maxReason  = 4 << 10
)

func appendFormats(dst []byte, formats []Format) []byte {
	dst = snapshot.AppendInt(dst, len(formats))
	for _, f := range formats {
		dst = snapshot.AppendString(dst, f.Name)
		dst = snapshot.AppendInt(dst, f.Oldest)
		dst = snapshot.AppendInt(dst, f.Newest)
	}
	return dst
}

func readFormats(b []byte) ([]Format, error) {
	r := snapshot.NewReader(b)
	formats := make([]Format, r.Int(maxFormats))
	for i := range formats {
		formats[i] = Format{r.String(maxName), r.Int(maxVersion), r.Int(maxVersion)}
	}
	return formats, r.End()
}

// choose returns the newest version of each format that both sides know. Both must have
// the same formats.
func choose(ours, theirs []Format) (Versions, error) {
	chosen := Versions{}
	for _, f := range ours {
		chosen[f.Name] = 0
	}
	for _, t := range theirs {
		if _, ok := chosen[t.Name]; !ok {
			return nil, fmt.Errorf("the format %q is not known", t.Name)
		}
		for _, f := range ours {
			if f.Name == t.Name {
				chosen[f.Name] = min(f.Newest, t.Newest)
			}
			if f.Name == t.Name && chosen[f.Name] < max(f.Oldest, t.Oldest) {
				return nil, fmt.Errorf("versions %d to %d of the format %q are offered, and %d to %d are known", t.Oldest, t.Newest, t.Name, f.Oldest, f.Newest)
			}
		}
	}
	for name, v := range chosen {
		if v == 0 {
			return nil, fmt.Errorf("the format %q is missing", name)
		}
	}
	return chosen, nil
}

func appendVersions(dst []byte, formats []Format, v Versions) []byte {
	for _, f := range formats {
		dst = snapshot.AppendInt(dst, v[f.Name])
	}
	return dst
}

// readVersions reads the versions of these formats.
func readVersions(b []byte, formats []Format) (Versions, error) {
	r := snapshot.NewReader(b)
	v := Versions{}
	for _, f := range formats {
		if v[f.Name] = r.Int(f.Newest); v[f.Name] < f.Oldest {
			r.Fail()
		}
	}
	return v, r.End()
}
