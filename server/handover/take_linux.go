package handover

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// takerTimeout is how long the old process may take for each step. It may have much to finish
// before it sends anything.
const takerTimeout = time.Minute

// Taker is the new process's side. It is not safe for concurrent use.
type Taker struct {
	ch       channel
	versions Versions
	chosen   []byte // what agrees to them; nil once it is written
	unread   bool   // a message has been returned that is not acknowledged
}

// Inherit returns the new process's side of a handover, or nil if this process was not
// started by Start. Of each format that this process reads, the old one must know a
// version. If there is an error, it should be reported, and the process exit; the old one goes
// on.
//
// The old process serves its clients until the first Receive, which tells it to begin. From then on they
// wait. So the new process should first do everything for which it does not need what is sent.
func Inherit(formats []Format) (*Taker, error) {
	value, ok := os.LookupEnv(variable)
	if !ok {
		return nil, nil
	}
	os.Unsetenv(variable) // no child of this process is meant
	fd, err := strconv.Atoi(value)
	if err != nil || !isChannel(fd) {
		return nil, fmt.Errorf("handover: %s is %q, which is not the descriptor of a channel", variable, value)
	}
	unix.CloseOnExec(fd)
	ch, err := newChannel(os.NewFile(uintptr(fd), "handover"))
	if err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	t := &Taker{ch: ch}
	if err := t.agree(formats); err != nil {
		return nil, t.fail(err)
	}
	return t, nil
}

// isChannel reports whether fd is one end of a pair that a process of this user has made.
func isChannel(fd int) bool {
	if fd < 3 {
		return false
	}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	kind, err2 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	peer, err3 := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	return err == nil && err2 == nil && err3 == nil &&
		domain == unix.AF_UNIX && kind == unix.SOCK_STREAM && int(peer.Uid) == os.Geteuid()
}

// agree reads the offer and chooses.
func (t *Taker) agree(formats []Format) error {
	t.ch.within(takerTimeout)
	what, m, err := t.ch.read()
	if err != nil {
		return err
	}
	text, ok := strings.CutPrefix(string(m.Data), magic)
	if what != offer || !ok {
		return unexpected(what, m)
	}
	offered, err := readFormats([]byte(text))
	if err != nil {
		return err
	}
	if t.versions, err = choose(formats, offered); err != nil {
		return err
	}
	t.chosen = appendVersions(nil, offered, t.versions)
	return nil
}

// Versions are those in which the formats are written.
func (t *Taker) Versions() Versions { return t.versions }

// Receive returns the next message. The first call says that this process is ready, and each later one
// acknowledges the previous message. The error is io.EOF when everything has been sent; then Commit or Refuse
// must be called. After any other error, this process must exit.
func (t *Taker) Receive() (Message, error) {
	t.ch.within(takerTimeout)
	if err := t.answer(); err != nil && !isBroken(err) {
		return Message{}, t.fail(err)
	} // broken: the old process has said why, or has ended: what is read says so
	switch what, m, err := t.ch.read(); {
	case err == io.EOF || isBroken(err): // broken: it has not read the last acknowledgement
		return Message{}, t.fail(errors.New("the old process has ended"))
	case err != nil:
		return Message{}, t.fail(err)
	case what == take:
		return Message{}, io.EOF
	case what != message:
		return Message{}, t.fail(unexpected(what, m))
	default:
		t.unread = true
		return m, nil
	}
}

// answer writes what the old process waits for.
func (t *Taker) answer() error {
	switch {
	case t.chosen != nil:
		versions := t.chosen
		t.chosen = nil
		return t.ch.write(chosen, 0, versions, nil)
	case t.unread:
		t.unread = false
		return t.ch.write(accepted, 0, nil, nil)
	}
	return nil
}

// Refuse tells the old process why it has to go on. This one must exit.
func (t *Taker) Refuse(why error) {
	t.ch.within(exitTime)
	t.ch.refuse(why.Error())
	t.ch.close()
}

// Commit takes over. It must be called after Receive has returned io.EOF. If the error is nil,
// the old process touches nothing any more that it has handed over, and this one serves. If
// there is an error, the old one goes on, and this one must exit.
func (t *Taker) Commit() error {
	t.ch.within(takerTimeout)
	_, err := t.ch.c.Write([]byte{commitByte})
	if err != nil {
		// The old process either is dead, and this one is the only one left, or it did not
		// want to wait any longer, and says so.
		what, m, readErr := t.ch.read()
		if readErr == nil {
			err = unexpected(what, m)
		}
		if readErr != io.EOF && !isBroken(readErr) {
			return t.fail(err)
		} // the old process is dead: it keeps its end open as long as it lives
	}
	t.ch.close()
	return nil
}

// fail refuses to go on, and returns err as an error for people.
func (t *Taker) fail(err error) error {
	if !isRefusal(err) {
		t.Refuse(err)
		err = fmt.Errorf("handover: %w", err)
	}
	t.ch.close()
	return err
}

func isRefusal(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// isBroken reports whether the other end of the channel is closed.
func isBroken(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
