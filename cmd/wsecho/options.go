package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/certs"
	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/listen"
	"github.com/hawser-ws/hawser/cmd/internal/proxy"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
)

// options are what the command line says.
type options struct {
	server        server.Config
	listen        listen.Options
	tls           certs.Files
	trusted       proxy.Trusted
	proxyProtocol bool
	blocking      bool
}

// parse turns the command line into options, in which 0 means no limit. If the command
// line asks for help, parse prints the flags to stdout.
func parse(args []string, stdout io.Writer) (o options, err error) {
	f := flag.NewFlagSet("wsecho", flag.ContinueOnError)
	f.SetOutput(io.Discard) // main prints errors
	f.StringVar(&o.listen.Address, "listen", "127.0.0.1:9001", "`address` to listen on: "+listen.Forms)
	f.BoolVar(&o.listen.ReusePort, "reuse-port", false, "share the TCP address with other processes that also set this")
	f.StringVar(&o.tls.Cert, "tls-cert", "", "PEM `file` of the certificate; enables TLS, with --tls-key")
	f.StringVar(&o.tls.Key, "tls-key", "", "PEM `file` of the certificate's private key")
	f.StringVar(&o.tls.ClientCA, "tls-client-ca", "", "PEM `file` of authorities; clients need a certificate from one of them")
	f.BoolVar(&o.proxyProtocol, "proxy-protocol", false, "expect a PROXY header, version 1 or 2, from --trusted-proxies")
	trusted := f.String("trusted-proxies", "", "comma-separated `list` of the addresses and networks of trusted proxies")
	cfg := &o.server
	f.IntVar(&cfg.Loops, "loops", 0, "number of event loops (0: one for each core)")
	f.IntVar(&cfg.MaxMessage, "max-message", 64<<20, "maximum size of a received message in `bytes`")
	f.IntVar(&cfg.MaxFragments, "max-fragments", 0, "maximum number of frames in a message (0: no limit)")
	f.IntVar(&cfg.MaxControlRate, "max-control-rate", 0, "maximum number of control frames per second (0: no limit)")
	f.IntVar(&cfg.WriteQueue, "write-queue", 64<<20, "maximum `bytes` that wait to be written on a connection (0: no limit)")
	f.DurationVar(&cfg.AssemblyTimeout, "assembly-timeout", 120*time.Second, "maximum time from a message's first byte to its last (0: no limit)")
	f.DurationVar(&cfg.PingInterval, "ping", 0, "silence after which a connection is pinged (0: never)")
	f.BoolVar(&o.blocking, "blocking", false, "echo with the blocking driver, package wsproto/wsconn, instead of the reactor; of the limits, only those on messages apply")
	deflate := f.Bool("deflate", false, "accept permessage-deflate, with any parameters that a client offers")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			cmdline.PrintUsage(stdout, f)
		}
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if err := o.parseProxies(*trusted); err != nil {
		return o, err
	}
	if err := liftLimits(cfg); err != nil {
		return o, err
	}
	cfg.MaxConnsPerAddress, cfg.MaxHTTPConns, cfg.MaxHTTPConnsPerAddress = server.Off, server.Off, server.Off
	cfg.Upgrader = handshake.Upgrader{Origins: []string{"*"}}
	if *deflate {
		cfg.Upgrader.Deflate = &handshake.DeflateOptions{ServerContextTakeover: true}
		cfg.CompressFrom = 1
	}
	cfg.ReleaseAfter, cfg.BusyPoll = 16<<20, 50*time.Microsecond // the process is the server's own
	return o, nil
}

func (o *options) parseProxies(list string) error {
	if list != "" {
		var err error
		if o.trusted, err = proxy.ParseTrusted(strings.Split(list, ",")); err != nil {
			return fmt.Errorf("--trusted-proxies: %w", err)
		}
	}
	if o.proxyProtocol && o.trusted.None() {
		return fmt.Errorf("--proxy-protocol needs --trusted-proxies: no proxy is trusted")
	}
	return nil
}

// liftLimits checks the limits, and turns 0 into server.Off.
func liftLimits(cfg *server.Config) error {
	if cfg.MaxMessage < 1 {
		return fmt.Errorf("--max-message is %d; it must be at least 1 byte", cfg.MaxMessage)
	}
	for name, v := range map[string]*int{
		"--loops": &cfg.Loops, "--max-fragments": &cfg.MaxFragments,
		"--max-control-rate": &cfg.MaxControlRate, "--write-queue": &cfg.WriteQueue,
	} {
		if *v < 0 {
			return fmt.Errorf("%s is %d; it must not be negative", name, *v)
		}
		if *v == 0 && name != "--loops" {
			*v = server.Off
		}
	}
	for name, v := range map[string]*time.Duration{"--assembly-timeout": &cfg.AssemblyTimeout, "--ping": &cfg.PingInterval} {
		if *v < 0 {
			return fmt.Errorf("%s is %v; it must not be negative", name, *v)
		}
		if *v == 0 {
			*v = server.Off
		}
	}
	return nil
}
