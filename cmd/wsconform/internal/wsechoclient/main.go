// Command wsechoclient plays the cases of a fuzzing server, ours or the
// original, with package wsproto/wsconn or, by --reactor, with package server.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/hawser-ws/hawser/cmd/wsconform/internal/echoclient"
)

func main() {
	var o echoclient.Options
	flag.StringVar(&o.URL, "url", "ws://127.0.0.1:9001", "`URL` of the fuzzing server")
	flag.StringVar(&o.Agent, "agent", "hawser", "`name` to report under")
	flag.IntVar(&o.Parallel, "parallel", 1, "cases at once")
	flag.BoolVar(&o.Reactor, "reactor", false, "play them on the event loops of package server")
	flag.Parse()
	if err := echoclient.Run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "wsechoclient:", err)
		os.Exit(1)
	}
}
