package handover

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// exitTime is how long a process that is not needed any more may take to end by itself.
var exitTime = 2 * time.Second

// refusalTime is how long it may take to write why this process goes on. A new process that may still commit has read
// everything, so there is room for that at once.
const refusalTime = 100 * time.Millisecond

// statusTime is how long one that has closed the channel may take to have an exit status.
const statusTime = 200 * time.Millisecond

// Giver is the old process's side. It is not safe for concurrent use.
type Giver struct {
	config   Config
	ch       channel
	cmd      *exec.Cmd
	ended    chan struct{} // closed when the new process is dead
	versions Versions
	pending  int // messages that were sent, and are not acknowledged
	over     bool
}

// maxPending is how many messages may be on their way while the next one is made. Their descriptors count
// for the limit of open files.
const maxPending = 1

// Start starts the new process and agrees with it on the versions of the formats. Only when it has
// said that it is ready does Start return. The caller must then call Commit or Abort.
func Start(c Config) (*Giver, error) {
	c = c.withDefaults()
	if os.Getpid() == 1 {
		return nil, ErrProcessOne
	}
	if err := checkBinary(c.Path); err != nil {
		return nil, err
	}
	ours, theirs, err := newPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	const first = 3 // where ExtraFiles begin
	cmd := &exec.Cmd{
		Path: c.Path, Args: append([]string{c.Path}, c.Args...),
		Env:    append(c.Env[:len(c.Env):len(c.Env)], variable+"="+strconv.Itoa(first)),
		Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{theirs},
	}
	if err := cmd.Start(); err != nil {
		ours.close()
		return nil, fmt.Errorf("handover: start the new process: %w", err)
	}
	theirs.Close() // so that the end of the new process is the end of the channel
	g := &Giver{config: c, ch: ours, cmd: cmd, ended: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(g.ended)
	}()
	if err := g.agree(); err != nil {
		return nil, g.abort(err)
	}
	return g, nil
}

// agree offers the formats, and waits until the new process has chosen.
func (g *Giver) agree() error {
	g.ch.within(g.config.StartTimeout)
	if err := g.ch.write(offer, 0, appendFormats([]byte(magic), g.config.Formats), nil); err != nil {
		return err
	}
	m, err := g.expect(chosen)
	if err != nil {
		return err
	}
	g.versions, err = readVersions(m.Data, g.config.Formats)
	return err
}

// expect reads a message, which must be of this kind.
func (g *Giver) expect(what byte) (Message, error) {
	got, m, err := g.ch.read()
	if err != nil {
		return m, err
	}
	if got != what {
		return m, unexpected(got, m)
	}
	return m, nil
}

// PID is the new process's.
func (g *Giver) PID() int { return g.cmd.Process.Pid }

// Versions are those to write the formats in.
func (g *Giver) Versions() Versions { return g.versions }

// Send sends data and at most MaxDescriptors descriptors, which stay open here. It waits until the
// new process has processed the previous message. After an error the new process is gone, and
// everything is as it was before Start.
func (g *Giver) Send(kind byte, data []byte, descriptors ...int) error {
	if g.over {
		return errors.New("handover: it is over")
	}
	g.ch.within(g.config.StepTimeout)
	g.pending++
	if err := g.ch.write(message, kind, data, descriptors); err != nil {
		// It may have said why it reads no more.
		if why := g.acknowledged(0); isRefusal(why) {
			err = why
		}
		return g.abort(err)
	}
	if err := g.acknowledged(maxPending); err != nil {
		return g.abort(err)
	}
	return nil
}

// acknowledged waits until at most so many messages are not acknowledged.
func (g *Giver) acknowledged(most int) error {
	for g.pending > most {
		if _, err := g.expect(accepted); err != nil {
			return err
		}
		g.pending--
	}
	return nil
}

// Commit lets the new process take over. If the error is nil, it has: this process must not
// touch what it has handed over any more, and exit. If there is an error, the new
// process has not taken over and never will, and this one goes on.
func (g *Giver) Commit() error {
	if g.over {
		return errors.New("handover: it is over")
	}
	g.ch.within(g.config.StepTimeout)
	if err := g.acknowledged(0); err != nil {
		return g.abort(err)
	}
	g.ch.within(g.config.StepTimeout)
	err := g.ch.write(take, 0, nil, nil)
	if err == nil {
		if err = g.readCommit(); err == nil {
			g.over = true
			return nil
		}
	}
	// The new process may be about to write the byte. From here on it cannot: the system
	// either has taken the byte before, and then it is read, or refuses it.
	g.ch.c.CloseRead()
	g.ch.within(g.config.StepTimeout)
	if g.readCommit() == nil {
		g.over = true
		return nil
	}
	return g.abort(err)
}

// readCommit reads the one byte.
func (g *Giver) readCommit() error {
	var b [1]byte
	_, err := io.ReadFull(g.ch.c, b[:])
	switch {
	case err != nil:
		return err
	case b[0] == commitByte:
		return nil
	case b[0] != refusal:
		return fmt.Errorf("%q is not the commit", b[0])
	}
	// The rest of its header, and the reason.
	rest, _ := io.ReadAll(io.LimitReader(g.ch.c, headerSize-1+maxReason))
	return &RefusedError{string(rest[min(len(rest), headerSize-1):])}
}

// Abort ends the new process. Everything is as it was before Start.
func (g *Giver) Abort(why error) {
	if !g.over {
		g.abort(why)
	}
}

// abort tells the new process that this one goes on, ends it, and returns err as an error for
// people. It does not wait for the end of the new process, because clients may wait for this one.
func (g *Giver) abort(err error) error {
	g.over = true
	g.ch.c.CloseRead()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isBroken(err) {
		// Its exit status says more.
		select {
		case <-g.ended:
			err = fmt.Errorf("the new process ended: %v", g.cmd.ProcessState)
		case <-time.After(statusTime):
		}
	}
	// Before this process goes on: should it be killed after that, the new one would take itself for the only one left.
	g.ch.within(refusalTime)
	g.ch.refuse("the old process goes on: " + err.Error())
	go g.end()
	switch {
	case isRefusal(err):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("handover: the new process did not answer in time")
	}
	return fmt.Errorf("handover: %w", err)
}

// end ends the new process. The channel stays open until it is dead: it takes the end of the
// channel for the end of this process.
func (g *Giver) end() {
	select {
	case <-g.ended:
	case <-time.After(exitTime):
		g.cmd.Process.Kill()
		<-g.ended
	}
	g.ch.close()
}
