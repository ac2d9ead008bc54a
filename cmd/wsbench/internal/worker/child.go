package worker

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/pin"
)

// StartChild starts this program again as a worker that is called over its
// standard input and output. It keeps to the given cores, if there are any.
func StartChild(name string, cpus []int) (Worker, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "agent")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := pin.Start(cmd, cpus); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return newRemote(name, pipes{out, in}, nil, func() error { return await(cmd, callTimeout) }), nil
}

// await waits for a child, which ends when its input does. If it does not, because it is
// stopped (SIGSTOP), await kills it.
func await(cmd *exec.Cmd, timeout time.Duration) error {
	kill := time.AfterFunc(timeout, func() { cmd.Process.Kill() })
	defer kill.Stop()
	return cmd.Wait()
}

// pipes is a stream made of two.
type pipes struct {
	io.ReadCloser
	w io.WriteCloser
}

// Stdio is the stream of a worker that StartChild or StartAgent started.
func Stdio() io.ReadWriteCloser { return pipes{os.Stdin, os.Stdout} }

func (p pipes) Write(b []byte) (int, error) { return p.w.Write(b) }

// Close ends the other side's input and reads its remaining output, so that it can end by
// itself.
func (p pipes) Close() error {
	err := p.w.Close()
	if p.ReadCloser != os.Stdin {
		return err // the process's end closes it
	}
	return p.ReadCloser.Close()
}
