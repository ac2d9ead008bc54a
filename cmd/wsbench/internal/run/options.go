package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/host"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/worker"
)

// Options are a run and its workers.
type Options struct {
	Plan     load.Plan
	Target   drive.Target
	Threads  int           // of each worker; 0: one for each core
	Interval time.Duration // of the samples
	Hold     time.Duration // Idle: how long connections rest before they are weighed
	Command  []string      // to be kept with the result

	// Processes is how many workers run on this host: 0 for as many as the
	// descriptors ask for. Agents, if there are any, run on other hosts instead.
	Processes int
	// CPUs are the cores that workers on this host keep to; none means all, and
	// that a single worker is this process itself.
	CPUs   []int
	Agents []string
	// Server is what is watched; by the agent ServerAgent, if set.
	Server      host.Processes
	ServerAgent string
	// AgentCommand is how agents are started; empty: worker.AgentCommand.
	AgentCommand string
	// MaxClockError is how well an agent's clock must be known for one-way
	// latencies.
	MaxClockError time.Duration

	// Apart says that the workers on this host are no part of this process, whatever their
	// number: runs at the same time then know what each of them used.
	Apart bool
	// Meet, if set, is called when the connections are open, and the load begins when it
	// returns.
	Meet func(ctx context.Context) error

	// Actions are done in the measured time, and marked in the result.
	Actions []Action

	// Notify is told how the run goes on; it may be nil.
	Notify func(Progress)
}

// Action is a shell command that a run carries out at a moment of its measured time.
type Action struct {
	At      time.Duration
	Command string
}

// Phase is a part of a run.
type Phase string

const (
	Connecting Phase = "connecting"
	Holding    Phase = "holding"
	Warming    Phase = "warming up"
	Measuring  Phase = "measuring"
	Draining   Phase = "waiting for the last answers"
)

// Progress is how a run goes on.
type Progress struct {
	Phase       Phase
	Done, Total time.Duration    // of Warming and Measuring
	Ready, Of   int              // connections
	Interval    *result.Interval // the last one measured, or nil
	SoFar       *result.Result   // beside Interval: all until its end. Valid until Notify returns.
	Note        string           // something to say once, or ""
}

// CheckWorkers finds what the given number of workers cannot do.
func (o *Options) CheckWorkers(n int) error {
	if n > 1 && o.spread() && o.Plan.Inflight > 0 {
		return fmt.Errorf("%s with --inflight is for one process: the next message is sent when all receivers have the last one, and each process knows only its own (--rate can be shared)", o.Plan.Scenario)
	}
	return nil
}

// spread reports whether the receivers of one message may be in several workers:
// rooms stay whole.
func (o *Options) spread() bool { return o.Plan.Grouped() && o.Plan.Scenario != load.Chat }

// crew is the workers of a run.
type crew struct {
	workers []worker.Worker
	names   []string
	offsets []worker.Offset
	watcher worker.Worker // the worker that watches the server, or nil
}

func (c *crew) close() {
	all := c.workers
	if c.watcher != nil {
		all = append(slices.Clone(all), c.watcher)
	}
	var wg sync.WaitGroup
	for _, w := range all {
		wg.Go(func() { w.Close() })
	}
	wg.Wait()
}

func (c *crew) add(name string, w worker.Worker, o worker.Offset) {
	c.workers, c.names, c.offsets = append(c.workers, w), append(c.names, name), append(c.offsets, o)
}

// hire makes the workers.
func hire(ctx context.Context, o *Options) (c *crew, err error) {
	c = &crew{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	members := o.Plan.Members()
	switch {
	case len(o.Agents) > 0:
		for _, host := range o.Agents {
			w, err := worker.StartAgent(ctx, host, o.agentCommand())
			if err != nil {
				return c, err
			}
			offset, err := worker.MeasureClock(ctx, w)
			if err != nil {
				w.Close()
				return c, err
			}
			c.add("agent "+host, w, offset)
		}
	default:
		n := o.Processes
		if n == 0 {
			if n, err = processes(members, drive.RaiseDescriptors(members)); err != nil {
				return c, err
			}
			if n > 1 {
				o.notify(Progress{Phase: Connecting, Of: members, Note: fmt.Sprintf("one process may open %d connections: %d processes share the %d", drive.RaiseDescriptors(members), n, members)})
			}
		}
		if n == 1 && len(o.CPUs) == 0 && !o.Apart {
			c.add("this process", &worker.Local{}, worker.Offset{})
			break
		}
		for i := range n {
			name := fmt.Sprintf("process %d", i+1)
			w, err := worker.StartChild(name, o.CPUs)
			if err != nil {
				return c, err
			}
			c.add(name, w, worker.Offset{})
		}
	}
	if err := o.CheckWorkers(len(c.workers)); err != nil {
		return c, err
	}
	if o.ServerAgent != "" {
		c.watcher, err = worker.StartAgent(ctx, o.ServerAgent, o.agentCommand())
	} else if o.Server.Any() {
		c.watcher = &worker.Local{}
	}
	return c, err
}

// MaxProcesses is the largest number of processes of a run.
const MaxProcesses = 64

// processes is how many are needed.
func processes(members, fit int) (int, error) {
	if fit < 1 {
		return 0, errors.New("the limit of open files leaves no room for connections: raise it (ulimit -Hn)")
	}
	n := (members + fit - 1) / fit
	if n > MaxProcesses {
		return 0, fmt.Errorf("%d connections would take %d processes of %d each: raise the hard limit of open files (ulimit -Hn %d, or LimitNOFILE; the kernel's own is %d)", members, n, fit, members, drive.MaxDescriptors())
	}
	return max(n, 1), nil
}

func (o *Options) agentCommand() string { return cmp.Or(o.AgentCommand, worker.AgentCommand) }

func (o *Options) notify(p Progress) {
	if o.Notify != nil {
		o.Notify(p)
	}
}
