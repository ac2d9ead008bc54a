package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A message on the channel is a header, with the descriptors, and its data:
//
//	header = what kind descriptors 0 length   ; 4 bytes, and 4 for the length
//
// The commit is not one of them: it is the single byte commitByte, which is none of the
// values of what.
const headerSize = 8

const (
	offer    = 'O' // old: the formats
	chosen   = 'C' // new: the versions
	message  = 'M' // old
	accepted = 'A' // new: the message has been processed
	refusal  = 'R' // either: the reason; nothing follows
	take     = 'T' // old: that is all

	commitByte = '!'
)

// magic is what an offer begins with: the version of the channel itself.
const magic = "hawser handover 1\n"

// maxData bounds a message, so that its length is no reason to allocate.
const maxData = 1 << 30

// channel is one end of the connection between the two processes.
type channel struct{ c *net.UnixConn }

// newChannel makes a channel of a socket. It closes f.
func newChannel(f *os.File) (channel, error) {
	nc, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return channel{}, err
	}
	c, ok := nc.(*net.UnixConn)
	if !ok {
		nc.Close()
		return channel{}, fmt.Errorf("handover: the channel is a %T", nc)
	}
	return channel{c}, nil
}

// newPair makes a channel, and the socket of its other end.
func newPair() (ours channel, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return channel{}, nil, fmt.Errorf("handover: %w", os.NewSyscallError("socketpair", err))
	}
	theirs = os.NewFile(uintptr(fds[1]), "handover")
	ours, err = newChannel(os.NewFile(uintptr(fds[0]), "handover"))
	if err != nil {
		theirs.Close()
		return channel{}, nil, err
	}
	return ours, theirs, nil
}

func (c channel) close() { c.c.Close() }

// within limits what follows to d.
func (c channel) within(d time.Duration) { c.c.SetDeadline(time.Now().Add(d)) }

// write writes one message.
func (c channel) write(what, kind byte, data []byte, descriptors []int) error {
	switch {
	case len(descriptors) > MaxDescriptors:
		return fmt.Errorf("handover: %d descriptors in one message; %d are possible", len(descriptors), MaxDescriptors)
	case len(data) > maxData:
		return fmt.Errorf("handover: a message of %d bytes; %d are possible", len(data), maxData)
	}
	header := binary.LittleEndian.AppendUint32([]byte{what, kind, byte(len(descriptors)), 0}, uint32(len(data)))
	var rights []byte
	if len(descriptors) > 0 {
		rights = unix.UnixRights(descriptors...)
	}
	if _, _, err := c.c.WriteMsgUnix(header, rights, nil); err != nil {
		return err
	}
	_, err := c.c.Write(data)
	return err
}

// read reads one message, and returns what the header says it is. It is never called for the
// byte of the commit.
func (c channel) read() (what byte, m Message, err error) {
	var header [headerSize]byte
	oob := make([]byte, unix.CmsgSpace(4*MaxDescriptors))
	n, oobn, flags, _, err := c.c.ReadMsgUnix(header[:], oob)
	if errors.Is(err, io.EOF) {
		err = io.EOF // it is wrapped, unlike Read's
	}
	if err != nil {
		return 0, m, err
	}
	// ReadMsgUnix makes them close-on-exec.
	m.Descriptors = descriptorsIn(oob[:oobn])
	defer func() {
		if err != nil {
			closeAll(m.Descriptors)
			m = Message{}
		}
	}()
	if _, err := io.ReadFull(c.c, header[n:]); err != nil {
		return 0, m, err
	}
	m.Kind = header[1]
	length := binary.LittleEndian.Uint32(header[4:])
	if header[3] != 0 || length > maxData {
		return 0, m, errors.New("the channel carries something else")
	}
	if flags&unix.MSG_CTRUNC != 0 || len(m.Descriptors) != int(header[2]) {
		return 0, m, fmt.Errorf("%d of %d descriptors arrived: the limit of open files (ulimit -n) is too low", len(m.Descriptors), header[2])
	}
	m.Data, err = readAll(c.c, int(length))
	return header[0], m, err
}

// readAll reads n bytes. It allocates as they arrive, not as they were announced.
func readAll(r io.Reader, n int) ([]byte, error) {
	const step = 1 << 20
	b := make([]byte, 0, min(n, step))
	for len(b) < n {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(n, 2*cap(b))), b...)
		}
		more, err := io.ReadFull(r, b[len(b):cap(b)])
		b = b[:len(b)+more]
		if err != nil {
			return nil, io.ErrUnexpectedEOF
		}
	}
	return b, nil
}

// descriptorsIn returns the descriptors in a control message.
func descriptorsIn(oob []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if rights, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, rights...)
		}
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// refuse tells the other side why nothing follows.
func (c channel) refuse(reason string) {
	c.write(refusal, 0, []byte(reason[:min(len(reason), maxReason)]), nil)
}

// unexpected is what to make of a message that is not the one that is due.
func unexpected(what byte, m Message) error {
	closeAll(m.Descriptors)
	if what == refusal {
		return &RefusedError{string(m.Data[:min(len(m.Data), maxReason)])}
	}
	return fmt.Errorf("a message %q is not what is due", what)
}
