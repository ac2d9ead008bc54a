package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// options are what the command line says.
type options struct {
	url string

	// Connecting.
	subprotocols []string
	header       http.Header
	caFile       string
	insecure     bool
	timeout      time.Duration

	// Going out.
	once        bool
	binary      bool
	ping        time.Duration // 0: never
	closeCode   wsproto.CloseCode
	closeReason string

	// Coming in.
	hex          bool
	maxMessage   int // bytes
	closeTimeout time.Duration
}

// usageError is a command line that cannot be carried out.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

// parse reads the command line. Flags may stand before and behind the URL.
func parse(args []string) (*options, error) {
	o := &options{header: http.Header{}, closeCode: wsproto.CloseNormal}
	f := o.flags()
	var urls []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			break
		}
		urls, args = append(urls, f.Arg(0)), f.Args()[1:]
	}
	switch len(urls) {
	case 0:
		return nil, errors.New("the URL is missing")
	case 1:
		o.url = urls[0]
	default:
		return nil, fmt.Errorf("one URL is wanted, there are %d: %q", len(urls), urls)
	}
	return o, o.check()
}

// flags are the flags, which set o.
func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("wscat", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints errors and the usage
	f.BoolVar(&o.once, "once", false, "")
	f.BoolVar(&o.binary, "binary", false, "")
	f.DurationVar(&o.ping, "ping", 0, "")
	f.Func("close", "", o.setClose)
	f.Func("subprotocol", "", o.addSubprotocols)
	f.Func("header", "", o.addHeader)
	f.Func("origin", "", func(s string) error {
		o.header["Origin"] = append(o.header["Origin"], s)
		return nil
	})
	f.StringVar(&o.caFile, "cacert", "", "")
	f.BoolVar(&o.insecure, "insecure", false, "")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "")
	f.BoolVar(&o.hex, "hex", false, "")
	f.IntVar(&o.maxMessage, "max-message", 16<<20, "")
	f.DurationVar(&o.closeTimeout, "close-timeout", 5*time.Second, "")
	return f
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
	case o.insecure && o.caFile != "":
		return errors.New("--insecure and --cacert contradict each other")
	}
	return nil
}

// setClose reads CODE[:REASON].
func (o *options) setClose(s string) error {
	digits, reason, _ := strings.Cut(s, ":")
	code, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return fmt.Errorf("%q is no close code", digits)
	}
	o.closeCode, o.closeReason = wsproto.CloseCode(code), reason
	return wsproto.CheckClose(o.closeCode, o.closeReason)
}

// addSubprotocols reads a list with commas. Whether the names are right, and
// all different, is for the handshake to say.
func (o *options) addSubprotocols(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		o.subprotocols = append(o.subprotocols, strings.TrimSpace(name))
	}
	return nil
}

// addHeader reads NAME: VALUE. The name goes out as it was written.
func (o *options) addHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		return errors.New("want 'NAME: VALUE'")
	}
	o.header[name] = append(o.header[name], strings.TrimSpace(value))
	return nil
}
