package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/terminal/terminaltest"
)

// What a hostile server says does not act on a terminal, and elsewhere it can only
// stand where messages are.
func TestHostileServer(t *testing.T) {
	for name, answer := range terminaltest.Answers {
		for _, args := range [][]string{{}, {"--hex"}, {"--once"}} {
			t.Run(name+strings.Join(args, ""), func(t *testing.T) {
				args := append(args, "--close-timeout", "1s", "--timeout", "10s", terminaltest.Serve(t, answer))
				shown, slave := openTerminal(t)
				run(t.Context(), args, blocked(t), slave, slave)
				slave.Close()
				terminaltest.Check(t, "the terminal", strings.ReplaceAll(<-shown, "\r\n", "\n"))
				var stdout, stderr bytes.Buffer
				run(t.Context(), args, blocked(t), &stdout, &stderr)
				terminaltest.Check(t, "stderr", stderr.String())
				if strings.HasPrefix(args[0], "--hex") {
					terminaltest.Check(t, "stdout", stdout.String())
				}
			})
		}
	}
}

func TestHostileWays(t *testing.T) {
	for name, args := range terminaltest.Ways(t) {
		got := wscat(t, "hi", append(args, "--timeout", "10s")...)
		if got.status != exitNotConnected || got.stdout != "" {
			t.Errorf("%s: %+v", name, got)
		}
		terminaltest.Check(t, name, got.stderr)
	}
}
