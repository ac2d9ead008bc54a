package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hawser-ws/hawser/chat/bolt"
)

const checkUsage = `usage: hawser check [DATA] [--data DIR] [--config FILE]

Reads every page and record of the messages and users in DATA, which is a data folder
or the file of a backup, and lists what is lost. Without DATA, it checks the folder
that "hawser serve" would use. No server may be running on the folder. Nothing is
changed. The exit status is 1 if anything is lost.
`

// maxLosses is the maximum number of losses that are listed.
const maxLosses = 1000

// check runs "hawser check".
func check(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	o, err := parseData("check", checkUsage, 0, 1, args, environ)
	if err != nil {
		return err
	}
	path := o.data
	if len(o.args) == 1 {
		path = o.args[0]
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		unlock, err := bolt.Lock(path)
		var inUse *bolt.InUseError
		if errors.As(err, &inUse) {
			return fmt.Errorf("%w; stop the server first, or check a backup", err)
		}
		if err != nil {
			return err
		}
		defer unlock()
		path = filepath.Join(path, bolt.FileName)
	}
	lost := losses{w: stdout}
	contents, err := bolt.Check(ctx, path, lost.list)
	lost.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "hawser: %s holds %s that are whole\n", path, counts(contents))
	if lost.count > 0 {
		return fmt.Errorf("%s is damaged: what is lost is listed (%s). A backup from before may have it", path, plural(lost.count, "line"))
	}
	return nil
}

// losses lists what is lost.
type losses struct {
	w     io.Writer
	count uint64
}

func (l *losses) list(what string) {
	if l.count++; l.count <= maxLosses {
		fmt.Fprintf(l.w, "lost: %s\n", what)
	}
}

func (l *losses) end() {
	if l.count > maxLosses {
		fmt.Fprintf(l.w, "lost: %d more that are not listed\n", l.count-maxLosses)
	}
}
