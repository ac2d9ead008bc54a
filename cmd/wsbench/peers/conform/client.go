package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// client plays the cases of a tester. None of the tester's control URLs is a case.
type client struct {
	url, agent string
	parallel   int
}

// run plays every case with echo, and then has the tester write its reports.
func (c *client) run(echo func(url string) error) error {
	count, err := c.count()
	if err != nil {
		return err
	}
	var cases sync.WaitGroup
	slots := make(chan struct{}, c.parallel)
	for n := 1; n <= count; n++ {
		slots <- struct{}{}
		cases.Go(func() {
			defer func() { <-slots }()
			// How a case ends is the tester's to judge. A panic is the library's, and
			// ends this case only.
			defer func() { recover() }()
			echo(fmt.Sprintf("%s/runCase?case=%d&agent=%s", c.url, n, url.QueryEscape(c.agent)))
		})
	}
	cases.Wait()
	ws, err := c.dial("/updateReports?agent=" + url.QueryEscape(c.agent))
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	ctx, cancel := timeout()
	defer cancel()
	ws.Read(ctx) // its Close
	return nil
}

func timeout() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

func (c *client) dial(path string) (*wsconn.Conn, error) {
	ctx, cancel := timeout()
	defer cancel()
	return wsconn.Dial(ctx, c.url+path, nil)
}

func (c *client) count() (int, error) {
	ws, err := c.dial("/getCaseCount")
	if err != nil {
		return 0, err
	}
	defer ws.CloseNow()
	ctx, cancel := timeout()
	defer cancel()
	_, p, err := ws.Read(ctx)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(p))
	if err != nil {
		return 0, fmt.Errorf("the number of cases: %w", err)
	}
	return n, ws.Close(wsproto.CloseNormal, "")
}
