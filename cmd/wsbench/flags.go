package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/dialect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/recording"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/run"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/stamp"
)

// settings are a run's flags.
type settings struct {
	run.Options
	output
	thresholds []result.Condition
	quiet      bool

	payload string
	dialect string
	noSelf  bool

	recording string
}

// newSettings has the defaults of a scenario.
func newSettings(s load.Scenario) *settings {
	o := &settings{}
	o.Plan.Scenario = s
	if s == load.Chat || s == load.Login {
		o.dialect = "chat"
	}
	if s == load.Replay {
		o.Plan.Speed = 1
	}
	if s == load.Login {
		o.Plan.AtOnce = 64
	}
	return o
}

// flags are what every run takes. Their help is in usage.go.
func (o *settings) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	p := &o.Plan
	f.StringVar(&p.URL, "url", "", "")
	f.IntVar(&p.Conns, "conns", 100, "")
	f.IntVar(&p.Size, "size", 128, "")
	f.DurationVar(&p.Duration, "duration", 10*time.Second, "")
	f.DurationVar(&p.Warmup, "warmup", time.Second, "")
	f.IntVar(&p.Inflight, "inflight", 0, "")
	f.Float64Var(&p.Rate, "rate", 0, "")
	f.BoolVar(&p.Poisson, "poisson", false, "")
	f.Func("stages", "", o.addStages)
	f.Func("run", "", o.addAction)
	f.DurationVar(&p.Think, "think", 0, "")
	f.BoolVar(&p.Binary, "binary", false, "")
	f.StringVar(&o.payload, "payload", "random", "")
	f.Uint64Var(&p.Seed, "seed", 1, "")
	f.DurationVar(&p.Timeout, "timeout", 5*time.Second, "")
	f.IntVar(&p.Publishers, "publishers", 1, "")
	f.BoolVar(&o.noSelf, "no-self", false, "")
	f.IntVar(&p.RoomSize, "room-size", 10, "")
	f.IntVar(&p.Rooms, "rooms", 1, "")
	f.IntVar(&p.AtOnce, "at-once", p.AtOnce, "")
	f.BoolVar(&p.Returning, "returning", false, "")
	f.Float64Var(&p.SlowShare, "slow-share", 0.1, "")
	f.IntVar(&p.Messages, "messages", 10, "")
	f.DurationVar(&p.StormEvery, "storm-every", 5*time.Second, "")
	f.StringVar(&o.recording, "recording", "", "")
	f.Float64Var(&p.Speed, "speed", p.Speed, "")
	f.DurationVar(&p.Spread, "spread", 0, "")
	f.DurationVar(&o.Hold, "hold", 3*time.Second, "")
	f.StringVar(&o.dialect, "scenario", o.dialect, "")

	f.BoolVar(&p.Deflate, "deflate", false, "")
	f.BoolVar(&p.HTTP2, "http2", false, "")
	o.Target.AddFlags(f)
	f.DurationVar(&o.Target.Timeout, "connect-timeout", 10*time.Second, "")
	f.Func("source", "", list(&o.Target.Sources))

	f.IntVar(&o.Threads, "threads", 0, "")
	f.IntVar(&o.Processes, "processes", 0, "")
	f.Func("agent", "", list(&o.Agents))
	f.StringVar(&o.ServerAgent, "server-agent", "", "")
	f.StringVar(&o.AgentCommand, "agent-command", "", "")
	f.DurationVar(&o.MaxClockError, "max-clock-error", time.Millisecond, "")
	f.Func("pid", "", o.addPIDs)
	f.StringVar(&o.Server.Cgroup, "cgroup", "", "")

	f.DurationVar(&o.Interval, "interval", time.Second, "")
	o.output.flags(f)
	f.BoolVar(&o.quiet, "quiet", false, "")
	f.Func("threshold", "", func(s string) error {
		c, err := result.ParseConditions(s)
		o.thresholds = append(o.thresholds, c...)
		return err
	})
	return f
}

func list(to *[]string) func(string) error {
	return func(s string) error {
		for part := range strings.SplitSeq(s, ",") {
			*to = append(*to, strings.TrimSpace(part))
		}
		return nil
	}
}

func (o *settings) addStages(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		long, rate, ok := strings.Cut(strings.TrimSpace(part), ":")
		d, err1 := time.ParseDuration(long)
		n, err2 := strconv.ParseFloat(rate, 64)
		if !ok || err1 != nil || err2 != nil || d <= 0 || !(n >= 0) {
			return fmt.Errorf("%q is no stage such as 30s:1000", part)
		}
		o.Plan.Stages = append(o.Plan.Stages, load.RateStage{Duration: d, Rate: n})
	}
	return nil
}

func (o *settings) addAction(s string) error {
	at, command, ok := strings.Cut(s, "=")
	d, err := time.ParseDuration(at)
	if !ok || err != nil || d < 0 || command == "" {
		return fmt.Errorf("%q is no TIME=COMMAND such as '10s=kill -HUP 4711'", s)
	}
	o.Actions = append(o.Actions, run.Action{At: d, Command: command})
	return nil
}

func (o *settings) addPIDs(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		pid, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || pid < 1 {
			return fmt.Errorf("%q is no process id", part)
		}
		o.Server.PIDs = append(o.Server.PIDs, pid)
	}
	return nil
}

// parse reads the flags, and completes what follows from them.
func (o *settings) parse(name string, args []string) error {
	if err := cmdline.ParseFlags(o.flags(name), args); err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return &usageError{Err: err}
	}
	return nil
}

// openRecording reads what a replay sends, which lasts as long as that takes.
func (o *settings) openRecording() (err error) {
	p := &o.Plan
	switch {
	case p.Scenario != load.Replay && (o.recording != "" || p.Speed != 0 || p.Spread != 0):
		return errors.New("--recording, --speed and --spread are for replay")
	case p.Scenario != load.Replay || o.recording == "":
		return nil // Check says what is missing
	}
	if p.Recording, err = recording.Open(o.recording); err != nil {
		return err
	}
	p.Warmup = 0
	if p.Speed > 0 {
		p.Duration = time.Duration(float64(p.Recording.Length)/p.Speed) + p.Spread + time.Millisecond
	}
	return nil
}

// maxThreads is more than any machine has cores for.
const maxThreads = 1024

func (o *settings) complete() (err error) {
	p := &o.Plan
	p.Self = !o.noSelf
	switch o.payload {
	case "random":
		p.Filler = stamp.Random
	case "compressible":
		p.Filler = stamp.Compressible
	default:
		return fmt.Errorf("--payload is %q; it is random or compressible", o.payload)
	}
	if p.URL == "" {
		return errors.New("--url is missing")
	}
	if err := o.Target.Complete(); err != nil {
		return err
	}
	// The plan is kept with the result: it must not hold the URL's password.
	if p.URL, err = o.Target.Endpoint(p.URL); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	if err := connect.CheckURL(p.URL); err != nil {
		return err
	}
	o.Target.URL = p.URL
	if (p.Scenario == load.Connect || p.Scenario == load.Churn) && p.Inflight == 0 && !p.Open() {
		p.Inflight = 1
	}
	if p.Scenario == load.Idle || p.Scenario == load.Storm {
		p.Inflight = 0
	}
	if len(p.Stages) > 0 {
		p.Duration = 0
		for _, s := range p.Stages {
			p.Duration += s.Duration
		}
		if p.Rate == 0 {
			p.Warmup = 0 // nothing would happen in it
		}
	}
	if err := o.openRecording(); err != nil {
		return err
	}
	for _, a := range o.Actions {
		if a.At >= p.Duration || p.Scenario == load.Login {
			return fmt.Errorf("--run %v=…: it must be within --duration, which login has not", a.At)
		}
	}
	if o.dialect != "" {
		if p.Dialect, err = dialect.Open(o.dialect); err != nil {
			return err
		}
	}
	switch {
	case o.Threads < 0 || o.Threads > maxThreads:
		return fmt.Errorf("--threads is %d; it must be at most %d, and not negative", o.Threads, maxThreads)
	case o.Processes < 0 || o.Processes > run.MaxProcesses:
		return fmt.Errorf("--processes is %d; it must be at most %d, and not negative", o.Processes, run.MaxProcesses)
	case len(o.Agents) > 0 && o.Processes > 0:
		return errors.New("--agent and --processes contradict each other: an agent is one process")
	case o.Interval < 100*time.Millisecond:
		return fmt.Errorf("--interval is %v; it must be at least 100ms", o.Interval)
	case o.Target.Timeout <= 0:
		return fmt.Errorf("--connect-timeout is %v; it must be positive", o.Target.Timeout)
	case len(o.Server.PIDs) > 0 && o.Server.Cgroup != "":
		return errors.New("--pid and --cgroup contradict each other")
	case o.ServerAgent != "" && !o.Server.Any():
		return errors.New("--server-agent needs a --pid or --cgroup on its host")
	}
	if err := p.Check(); err != nil {
		return err
	}
	return o.CheckWorkers(max(len(o.Agents), o.Processes))
}
