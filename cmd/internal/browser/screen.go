package browser

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// screen is an X server that shows nothing.
type screen struct {
	process *process
	display string // ":99"
}

var displayLine = regexp.MustCompile(`(?m)^(\d+)\n`)

// startScreen starts one. The server itself finds a display number that is free. Where
// no window manager is, the window under the pointer has the focus, and the pointer is
// in the middle of the screen: hence its size, which windows may exceed.
func startScreen(ctx context.Context, dir string) (*screen, error) {
	folder, err := os.MkdirTemp(dir, "screen")
	if err != nil {
		return nil, err
	}
	var number log
	p, err := start(folder, &number, nil, "Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset")
	if err != nil {
		return nil, err
	}
	line, err := number.find(ctx, p, displayLine)
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("starting Xvfb: %w: %s", err, strings.TrimSpace(number.String()))
	}
	return &screen{p, ":" + line}, nil
}
