package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hawser-ws/hawser/chat/bolt"
	"github.com/hawser-ws/hawser/cmd/internal/listen"
)

const (
	// controlFile is the Unix socket in the data folder on which a running server
	// answers the other commands. Only its user may connect.
	controlFile = "control.sock"

	// maxSocketPath is the maximum length of a socket's path that all systems allow.
	maxSocketPath = 100

	// stallTimeout is how long a reader of a backup may take for a piece of it. While it
	// reads, it holds a snapshot, which makes the store grow.
	stallTimeout = 30 * time.Second
)

// control is the running server's interface for commands on the same machine.
type control struct {
	ln     net.Listener
	server *http.Server
	dir    *os.File // nil: the path is short enough without
}

// socketPath returns a path of the control socket in dir that the system accepts. If the real
// path is too long, it leads through a descriptor of dir, which has to stay open.
func socketPath(dir string) (path string, open *os.File, err error) {
	path = filepath.Join(dir, controlFile)
	if len(path) <= maxSocketPath {
		return path, nil, nil
	}
	if open, err = os.Open(dir); err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", open.Fd(), controlFile), open, nil
}

// openControl opens the control socket. The caller must have the store open, so an existing
// socket is that of a dead server; unless it was inherited, then it is ln.
func openControl(a *app, ln net.Listener) (*control, error) {
	c := &control{ln: ln}
	if ln == nil {
		path, open, err := socketPath(a.cfg.Data)
		if err != nil {
			return nil, err
		}
		c.dir = open
		if c.ln, err = (listen.Options{Address: "unix:" + path, Mode: 0o600}).Open(); err != nil {
			if open != nil {
				open.Close()
			}
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /backup", a.requests.through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveBackup(w, a.engine.store, a.log)
	})))
	mux.HandleFunc("POST /upgrade", a.serveUpgrade)
	c.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: stallTimeout,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	go c.server.Serve(c.ln) // until close
	return c, nil
}

// close also ends requests that are being answered.
func (c *control) close() {
	if c == nil {
		return
	}
	c.server.Close() // removes the socket
	if c.dir != nil {
		c.dir.Close()
	}
}

// serveBackup sends a snapshot of the store.
func serveBackup(w http.ResponseWriter, store *bolt.Store, log *slog.Logger) {
	snapshot, err := store.Snapshot()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer snapshot.Close()
	begin := time.Now()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(snapshot.Size(), 10))
	n, err := snapshot.WriteTo(&pressed{w, http.NewResponseController(w)})
	if err != nil {
		log.Warn("a backup was broken off", "bytes", n, "of", snapshot.Size(), "error", err)
		return
	}
	log.Info("the store was copied for a backup", "bytes", n, "took", time.Since(begin).Round(time.Millisecond))
}

// pressed is a ResponseWriter that fails if its reader stops reading.
type pressed struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (p *pressed) Write(b []byte) (int, error) {
	p.control.SetWriteDeadline(time.Now().Add(stallTimeout)) // a connection takes one
	return p.w.Write(b)
}

// askServer asks the server that runs on dir. The error of a server that does not run
// is fs.ErrNotExist or ECONNREFUSED.
func askServer(ctx context.Context, dir, method, what string) (*http.Response, error) {
	path, open, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	if open != nil {
		defer open.Close()
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://hawser"+what, nil)
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(req)
}
