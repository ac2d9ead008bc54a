// Package echoclient is the client on which conformance is measured: it asks a fuzzing
// server for its cases, plays each of them, and echoes every message with package
// wsproto/wsconn, or with package server in the client's role. It uses only the control URLs,
// so it works with the original suite as well.
package echoclient

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// Options say what to run.
type Options struct {
	URL      string // of the fuzzing server, without a path
	Agent    string // the name to report under
	Parallel int    // cases at once; 0: 1
	Reactor  bool   // package server plays the cases
}

// limits are as wide as the cases need.
func limits() *wsconn.DialOptions {
	return &wsconn.DialOptions{
		Deflate:      &handshake.DeflateOptions{ServerContextTakeover: true, ClientMaxWindowBits: 15},
		MaxMessage:   64 << 20,
		MaxFragments: -1,
	}
}

// Run plays every case, and asks the server to write its reports.
func Run(ctx context.Context, o Options) error {
	count, err := o.count(ctx)
	if err != nil {
		return err
	}
	play := echo
	if o.Reactor {
		r, err := newReactor()
		if err != nil {
			return err
		}
		defer r.Shutdown(ctx)
		play = r.echo
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(o.Parallel, 1))
	for n := 1; n <= count; n++ {
		slots <- struct{}{}
		wg.Go(func() {
			// The server judges how a case ends.
			_ = play(ctx, fmt.Sprintf("%s/runCase?case=%d&agent=%s", o.URL, n, url.QueryEscape(o.Agent)))
			<-slots
		})
	}
	wg.Wait()
	return echo(ctx, o.URL+"/updateReports?agent="+url.QueryEscape(o.Agent))
}

func (o *Options) count(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := wsconn.Dial(ctx, o.URL+"/getCaseCount", limits())
	if err != nil {
		return 0, err
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err != nil {
		return 0, fmt.Errorf("getCaseCount: %w", err)
	}
	n, err := strconv.Atoi(string(p))
	if err != nil {
		return 0, fmt.Errorf("getCaseCount: %w", err)
	}
	return n, c.Close(wsproto.CloseNormal, "")
}

// echo connects and sends every message back until the connection ends, which is
// not an error.
func echo(ctx context.Context, url string) error {
	dial, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := wsconn.Dial(dial, url, limits())
	if err != nil {
		return err
	}
	defer c.CloseNow()
	for {
		op, p, err := c.Read(ctx)
		if err != nil {
			c.Close(wsproto.CloseNormal, "") // lets the answer to the peer's Close out
			return nil
		}
		if op != frame.Text && op != frame.Binary {
			continue
		}
		if err := c.Write(ctx, op, p); err != nil {
			return nil
		}
	}
}
