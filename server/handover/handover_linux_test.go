package handover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests hand pipes to real processes, which are this test binary again. The process that serves
// writes its name into each of them.

const (
	roleVar    = "HANDOVER_TEST_ROLE"
	faultVar   = "HANDOVER_TEST_FAULT"
	formatsVar = "HANDOVER_TEST_FORMATS"
	gateVar    = "HANDOVER_TEST_GATE"

	numPipes = 2*MaxDescriptors + 10
	patience = 30 * time.Second
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "new":
		os.Exit(runNew())
	case "old":
		os.Exit(runOld())
	}
	exitTime = 300 * time.Millisecond
	code := m.Run()
	for { // those that hang are killed soon, but not if this process ends before
		if _, err := unix.Wait4(-1, nil, 0, nil); err == unix.ECHILD {
			break
		}
	}
	os.Exit(code)
}

// fault does what the fault says if it belongs to this point: "die 2", "hang 2", "refuse 2".
func fault(point int, t *Taker) {
	kind, at, _ := strings.Cut(os.Getenv(faultVar), " ")
	if at != strconv.Itoa(point) {
		return
	}
	switch kind {
	case "die":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "exit":
		os.Exit(7)
	case "hang":
		time.Sleep(time.Hour)
	case "refuse":
		t.Refuse(errors.New("it is Monday"))
		os.Exit(1)
	case "garbage":
		t.ch.c.Write([]byte(strings.Repeat("garbage", 10)))
		time.Sleep(time.Hour)
	case "close":
		t.ch.close()
		time.Sleep(time.Hour)
	}
}

func formats() []Format {
	f := Format{Name: "pipes", Oldest: 1, Newest: 1}
	if s := os.Getenv(formatsVar); s != "" {
		fmt.Sscanf(s, "%d-%d", &f.Oldest, &f.Newest)
	}
	return []Format{f}
}

// The points of a new process: before Inherit, after it, after each of three messages, before the
// commit, and after it.
const (
	beforeInherit = iota
	afterInherit
	afterFirst
	afterSecond
	afterThird
	beforeCommit
	afterCommit
	numPoints
)

func runNew() int {
	fault(beforeInherit, nil)
	taker, err := Inherit(formats())
	if err != nil {
		fmt.Println("new:", err)
		return 1
	}
	fault(afterInherit, taker)
	var pipes []int
	for point := afterFirst; ; point++ {
		m, err := taker.Receive()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println("new:", err)
			return 1
		}
		pipes = append(pipes, m.Descriptors...)
		if want := strings.Repeat("data", 100_000*int(m.Kind)); string(m.Data) != want {
			taker.Refuse(errors.New("other data"))
			return 1
		}
		fault(point, taker)
	}
	if gate := os.Getenv(gateVar); gate != "" {
		fmt.Println("new: at the gate")
		os.ReadFile(gate) // a FIFO: until the test opens it
	}
	fault(beforeCommit, taker)
	if err := taker.Commit(); err != nil {
		fmt.Println("new:", err)
		return 1
	}
	fault(afterCommit, taker)
	fmt.Println("new: serves")
	for _, fd := range pipes {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			fmt.Println("new: a descriptor is not close-on-exec")
		}
		unix.Write(fd, []byte("new "+strconv.Itoa(taker.Versions()["pipes"])+"\n"))
	}
	return 0
}

// pipe is a connection: the test has its read end.
type pipe struct{ r, w *os.File }

func newPipes(t *testing.T, n int) []pipe {
	t.Helper()
	pipes := make([]pipe, n)
	for i := range pipes {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		pipes[i] = pipe{r, w}
	}
	return pipes
}

// config starts this test binary as the new process.
func config(env ...string) Config {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Config{
		Path: path, Args: []string{}, Formats: formats(), Env: append(append(os.Environ(), roleVar+"=new"), env...),
		StartTimeout: patience, StepTimeout: patience,
	}
}

// give hands over the write ends, in three messages.
func give(c Config, pipes []pipe) error {
	g, err := Start(c)
	if err != nil {
		return err
	}
	for kind := byte(1); len(pipes) > 0; kind++ {
		var fds []int
		for _, p := range pipes[:min(len(pipes), MaxDescriptors)] {
			fds = append(fds, int(p.w.Fd()))
		}
		pipes = pipes[len(fds):]
		if err := g.Send(kind, []byte(strings.Repeat("data", 100_000*int(kind))), fds...); err != nil {
			return err
		}
	}
	return g.Commit()
}

// assertServedBy checks who writes into the pipes: as an old process would that goes on, the test
// writes as well, unless it has handed over.
func assertServedBy(t *testing.T, pipes []pipe, handedOver bool, want string) {
	t.Helper()
	for i, p := range pipes {
		if !handedOver {
			if _, err := p.w.WriteString("old\n"); err != nil {
				t.Fatal(err)
			}
		}
		p.w.Close()
		p.r.SetDeadline(time.Now().Add(patience))
		if b, err := io.ReadAll(p.r); err != nil || string(b) != want {
			t.Fatalf("pipe %d: %q, %v; want %q", i, b, err, want)
		}
	}
}

func TestHandover(t *testing.T) {
	pipes := newPipes(t, numPipes)
	if err := give(config(), pipes); err != nil {
		t.Fatal(err)
	}
	assertServedBy(t, pipes, true, "new 1\n")
}

// An old process and a new one with other versions of the format, in both directions.
func TestHandoverBetweenVersions(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{"1-2", "2-3", "new 2\n"},
		{"2-3", "1-2", "new 2\n"},
		{"2-3", "2-3", "new 3\n"},
		{"1-2", "3-4", `versions 1 to 2 of the format "pipes" are offered, and 3 to 4 are known`},
		{"3-4", "1-2", `versions 3 to 4 of the format "pipes" are offered, and 1 to 2 are known`},
	} {
		t.Setenv(formatsVar, tt.old)
		pipes := newPipes(t, 1)
		err := give(config(formatsVar+"="+tt.new), pipes)
		switch refused := (*RefusedError)(nil); {
		case err == nil:
			assertServedBy(t, pipes, true, tt.want)
		case !errors.As(err, &refused) || refused.Reason != tt.want:
			t.Errorf("from %s to %s: %v", tt.old, tt.new, err)
		default:
			assertServedBy(t, pipes, false, "old\n")
		}
	}
}

// Whatever the new process does wrong, and when, the old one goes on and says why.
func TestFaultsOfTheNewProcess(t *testing.T) {
	for point := range afterCommit {
		for kind, says := range map[string]string{
			"die": "signal: killed", "exit": "exit status 7", "hang": "did not answer in time",
			"refuse": "it is Monday", "garbage": "", "close": "",
		} {
			if point == beforeInherit && (kind == "refuse" || kind == "garbage" || kind == "close") {
				continue // there is no channel yet
			}
			t.Run(fmt.Sprint(kind, " ", point), func(t *testing.T) {
				t.Parallel()
				pipes := newPipes(t, numPipes)
				c := config(fmt.Sprintf("%s=%s %d", faultVar, kind, point))
				if kind == "hang" || kind == "garbage" {
					c.StepTimeout = time.Second / 2
					if point <= afterInherit { // it has not said that it is ready
						c.StartTimeout = time.Second / 2
					}
				}
				err := give(c, pipes)
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("%v; want %q", err, says)
				}
				assertServedBy(t, pipes, false, "old\n")
			})
		}
	}
}

// The next message is sent while one is processed, but not more than that one.
func TestSendAhead(t *testing.T) {
	c := config(fmt.Sprintf("%s=hang %d", faultVar, afterFirst))
	g, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Abort(errors.New("the test is over"))
	if err := g.Send(1, []byte(strings.Repeat("data", 100_000))); err != nil {
		t.Errorf("while nothing else is processed: %v", err)
	}
	g.config.StepTimeout = time.Second / 10
	if err := g.Send(2, []byte("d")); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("while a message is processed: %v", err)
	}
}

// A new process that dies after the commit has taken over: the old one must not go on.
func TestNewProcessDiesAfterCommit(t *testing.T) {
	pipes := newPipes(t, numPipes)
	if err := give(config(fmt.Sprintf("%s=die %d", faultVar, afterCommit)), pipes); err != nil {
		t.Fatal(err)
	}
	assertServedBy(t, pipes, true, "")
}

// While the old process gives up waiting for the commit, the new one writes it: exactly one of the two
// serves.
func TestCommitAtTheLastMoment(t *testing.T) {
	committed := 0
	const rounds = 30
	for i := range rounds {
		gate := newGate(t)
		pipes := newPipes(t, 2)
		c := config(gateVar + "=" + gate)
		c.StepTimeout = patience
		g, err := Start(c)
		if err != nil {
			t.Fatal(err)
		}
		for j, p := range pipes {
			if err := g.Send(byte(j), []byte(strings.Repeat("data", 100_000*j)), int(p.w.Fd())); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.acknowledged(0); err != nil { // otherwise Commit gives up waiting for that
			t.Fatal(err)
		}
		g.config.StepTimeout = time.Duration(i) * 100 * time.Microsecond
		go os.WriteFile(gate, nil, 0)
		err = g.Commit()
		if err != nil {
			<-g.ended
			assertServedBy(t, pipes, false, "old\n")
			continue
		}
		committed++
		assertServedBy(t, pipes, true, "new 1\n")
	}
	t.Logf("%d of %d commits came in time", committed, rounds)
}

// The new process is told that the old one goes on before that does: if the old one is killed then, the new one must not
// take itself for the only one left.
func TestRefusesBeforeItGoesOn(t *testing.T) {
	ours, theirs, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	g := &Giver{ch: ours, ended: make(chan struct{})}
	close(g.ended)
	g.abort(errors.New("it takes too long"))
	var b [1]byte
	if n, _, err := unix.Recvfrom(int(theirs.Fd()), b[:], unix.MSG_DONTWAIT); n != 1 || b[0] != refusal {
		t.Errorf("%d bytes, %q, %v", n, b, err)
	}
}

func newGate(t *testing.T) string {
	t.Helper()
	gate := filepath.Join(t.TempDir(), "gate")
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	return gate
}

// runOld is an old process that stops where faultVar says, for the test to kill it.
func runOld() int {
	at, _ := strconv.Atoi(strings.TrimPrefix(os.Getenv(faultVar), "old "))
	stop := func(point int) {
		if point == at {
			fmt.Println("old: stops")
			time.Sleep(time.Hour)
		}
	}
	g, err := Start(config(faultVar + "="))
	if err != nil {
		fmt.Println("old:", err)
		return 1
	}
	stop(1)
	for i := range 3 {
		if err := g.Send(byte(i), []byte(strings.Repeat("data", 100_000*i)), 3+i); err != nil { // the pipes that the test gave it
			fmt.Println("old:", err)
			return 1
		}
		stop(2 + i)
	}
	fmt.Println("old:", g.Commit())
	return 0
}

// When the old process is killed before it said that all was sent, the new one ends without
// touching anything; when it is killed later, the new one serves.
func TestOldProcessIsKilled(t *testing.T) {
	for point := 1; point <= 5; point++ {
		t.Run(fmt.Sprint(point), func(t *testing.T) {
			t.Parallel()
			pipes := newPipes(t, 3)
			gate := newGate(t)
			path, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(path)
			cmd.Env = append(os.Environ(), roleVar+"=old", fmt.Sprintf("%s=old %d", faultVar, point), gateVar+"="+gate)
			for _, p := range pipes {
				cmd.ExtraFiles = append(cmd.ExtraFiles, p.w)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out) // ends when both processes have
			want, serves := "old: stops", false
			if point == 5 { // the old one waits for the commit
				want, serves = "new: at the gate", true
			}
			if !lines.Scan() || lines.Text() != want {
				t.Fatalf("%q; want %q", lines.Text(), want)
			}
			cmd.Process.Kill()
			cmd.Process.Wait()
			if serves {
				if err := os.WriteFile(gate, nil, 0); err != nil {
					t.Fatal(err)
				}
			}
			lines.Scan()
			if serves {
				if lines.Text() != "new: serves" {
					t.Errorf("%q", lines.Text())
				}
				assertServedBy(t, pipes, true, "new 1\n")
				return
			}
			if lines.Text() != "new: handover: the old process has ended" {
				t.Errorf("%q", lines.Text())
			}
			assertServedBy(t, pipes, true, "")
		})
	}
}

func TestDoesNotStart(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "program")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{script: "no such file", dir: "is not a file", "sh": "not absolute"} {
		c := config()
		c.Path = path
		if _, err := Start(c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", path, err, says)
		}
	}
	c := config()
	c.Path = "/bin/true"
	if _, err := Start(c); err == nil || !strings.Contains(err.Error(), "the new process ended: exit status 0") {
		t.Errorf("a program that knows nothing of it: %v", err)
	}
}

// A process that may not have enough files open says so.
func TestTooManyDescriptors(t *testing.T) {
	pipes := newPipes(t, 100)
	c := config()
	c.Args = []string{"-c", `ulimit -n 50; exec "$0"`, c.Path}
	c.Path = "/bin/sh"
	if err := give(c, pipes); err == nil || !strings.Contains(err.Error(), "of 100 descriptors arrived: the limit of open files") {
		t.Errorf("%v", err)
	}
	assertServedBy(t, pipes, false, "old\n")
	g, err := Start(config())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.ch.write(message, 0, nil, make([]int, MaxDescriptors+1)); err == nil {
		t.Error("more descriptors than a message can have are sent")
	}
	g.Abort(errors.New("enough"))
	<-g.ended
	if g.Send(0, nil) == nil || g.Commit() == nil {
		t.Error("it goes on after Abort")
	}
}

func TestInheritsNothing(t *testing.T) {
	if taker, err := Inherit(nil); taker != nil || err != nil {
		t.Errorf("%v, %v", taker, err)
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, value := range []string{"", "x", "-1", "0", "9999", strconv.Itoa(int(file.Fd()))} {
		t.Setenv(variable, value)
		if taker, err := Inherit(nil); taker != nil || err == nil {
			t.Errorf("%q: %v, %v", value, taker, err)
		}
		if _, left := os.LookupEnv(variable); left {
			t.Error("children would believe it")
		}
	}
}
