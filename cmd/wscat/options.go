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
	"github.com/hawser-ws/hawser/wsproto"
)

// options are what the command line says.
type options struct {
	url string

	// Connecting.
	connect connect.Options
	timeout time.Duration

	// Going out.
	once        bool
	binary      bool
	wait        time.Duration // after the end of the input; negative: until the peer closes
	waitSaid    bool          // wait is from the command line
	ping        time.Duration // 0: never
	closeCode   wsproto.CloseCode
	closeReason string

	// Coming in.
	hex          bool
	maxMessage   int // bytes
	closeTimeout time.Duration
}

// usageError is a command line that cannot be carried out.
type usageError = cmdline.Error

// parse reads the command line. Flags may be before and after the URL.
func parse(args []string) (*options, error) {
	o := &options{closeCode: wsproto.CloseNormal}
	f := o.flags()
	urls, err := cmdline.Parse(f, args)
	if err != nil {
		return nil, err
	}
	switch len(urls) {
	case 0:
		return nil, errors.New("the URL is missing")
	case 1:
	default:
		return nil, fmt.Errorf("want one URL, got %d: %q", len(urls), connect.Redact(urls))
	}
	if err = o.connect.Complete(); err == nil {
		o.url, err = o.connect.Endpoint(urls[0])
	}
	if err == nil {
		err = connect.CheckURL(o.url)
	}
	if err != nil {
		return nil, err
	}
	return o, o.check()
}

// flags returns the flags, which set o.
func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("wscat", flag.ContinueOnError)
	f.BoolVar(&o.once, "once", false, "")
	f.BoolVar(&o.binary, "binary", false, "")
	f.Func("wait", "", o.setWait)
	f.DurationVar(&o.ping, "ping", 0, "")
	f.Func("close", "", o.setClose)
	o.connect.AddFlags(f)
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "")
	f.BoolVar(&o.hex, "hex", false, "")
	f.IntVar(&o.maxMessage, "max-message", 16<<20, "")
	f.DurationVar(&o.closeTimeout, "close-timeout", 5*time.Second, "")
	return f
}

// The defaults of --wait. If the input is typed, the user has seen the answers when it
// ends. With --once the answer ends the wait.
const (
	quietWait  = 3 * time.Second
	answerWait = 10 * time.Second
)

// completeWait sets the default of --wait. typed says that the input is from a terminal.
func (o *options) completeWait(typed bool) {
	switch {
	case o.waitSaid:
	case o.once:
		o.wait = answerWait
	case !typed:
		o.wait = quietWait
	}
}

// setWait reads a duration, or a negative number without a unit.
func (o *options) setWait(s string) error {
	o.waitSaid = true
	if n, err := strconv.Atoi(s); err == nil && n < 0 {
		o.wait = -1
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return errors.New("want a duration as 5s or 500ms, 0, or -1")
	}
	o.wait = d
	return nil
}

// check finds what is wrong with the values.
func (o *options) check() error {
	switch {
	case o.ping < 0:
		return fmt.Errorf("--ping is %v; it must not be negative", o.ping)
	case o.timeout <= 0:
		return fmt.Errorf("--timeout is %v; it must be positive", o.timeout)
	case o.closeTimeout <= 0:
		return fmt.Errorf("--close-timeout is %v; it must be positive", o.closeTimeout)
	case o.maxMessage < 1:
		return fmt.Errorf("--max-message is %d; it must be at least 1 byte", o.maxMessage)
	}
	return nil
}

// setClose reads CODE[:REASON].
func (o *options) setClose(s string) error {
	digits, reason, _ := strings.Cut(s, ":")
	code, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return fmt.Errorf("%q is not a close code", digits)
	}
	o.closeCode, o.closeReason = wsproto.CloseCode(code), reason
	return wsproto.CheckClose(o.closeCode, o.closeReason)
}
