package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/upgrade"
)

const upgradeUsage = `usage: hawser upgrade [--data DIR] [--config FILE]

Has the server that runs on the data folder be replaced by the program that now stands
at its path, and says what has moved. Nobody is disconnected, but for who cannot move:
connections over TLS that the server itself ends, and HTTP requests. The new
program reads the configuration anew; addresses to listen on stay as they are. If it
does not start, or refuses what it is handed, the old one goes on. SIGUSR2 does the
same; with redis, which has no data folder, there is only the signal.

Only the server's own user may do this, on Linux.
`

// upgradeTime is how long an upgrade may take: the new program may need a while to start.
const upgradeTime = time.Minute

// upgradeAnswer is what the control socket answers.
type upgradeAnswer struct {
	PID         int           `json:"pid"`
	Connections int           `json:"connections"`
	Handshakes  int           `json:"handshakes"`
	TLS         int           `json:"tls"`
	Others      int           `json:"others"`
	HTTP        int           `json:"http"`
	Pause       time.Duration `json:"pause_ns"`
}

// runUpgrade runs "hawser upgrade".
func runUpgrade(ctx context.Context, args, environ []string, stdout, _ io.Writer) error {
	o, err := parseData("upgrade", upgradeUsage, 0, 0, args, environ)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, upgradeTime)
	defer cancel()
	resp, err := askServer(ctx, o.data, http.MethodPost, "/upgrade")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server runs on %s: %w", o.data, err)
	case err != nil:
		return fmt.Errorf("the server on %s does not say how the upgrade went: %w", o.data, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("the old server goes on: %s", text)
	}
	var a upgradeAnswer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return fmt.Errorf("the server on %s does not say how the upgrade went: %w", o.data, err)
	}
	fmt.Fprintf(stdout, "hawser: process %d serves now. %s moved, and %s; %s ended as they could not move (%d over TLS, %d HTTP). The pause was %v\n",
		a.PID, plural(uint64(a.Connections), "connection"), plural(uint64(a.Handshakes), "opening handshake"),
		plural(uint64(a.TLS+a.Others+a.HTTP), "connection"), a.TLS, a.HTTP, a.Pause.Round(100*time.Microsecond))
	return nil
}

// serveUpgrade has this process be replaced, and answers when that is done.
func (a *app) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	request := upgradeRequest{answer: func(report upgrade.Report, err error) {
		defer close(done)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(upgradeAnswer{report.PID, report.Connections, report.Handshakes, report.TLS, report.Others, report.HTTP, report.Pause})
		http.NewResponseController(w).Flush()
	}}
	select {
	case a.upgrades <- request:
		<-done
	case <-r.Context().Done():
	}
}

// onSignal has this process be replaced.
func (a *app) onSignal() {
	a.upgrades <- upgradeRequest{answer: func(upgrade.Report, error) {}}
}

// run serves until it is to stop, something has failed, or another process serves: then replaced is
// true, and the app must not be stopped.
func (a *app) run(stop <-chan struct{}) (replaced bool, err error) {
	for {
		select {
		case err := <-a.failed:
			return false, err
		case <-stop:
			return false, nil
		case request := <-a.upgrades:
			report, finish, err := a.replace()
			request.answer(report, err)
			if err != nil {
				continue
			}
			select {
			case <-stop: // it was meant for who serves
				if p, err := os.FindProcess(report.PID); err == nil {
					p.Signal(syscall.SIGTERM)
				}
			default:
			}
			finish()
			return true, nil
		}
	}
}
