package certs

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultInterval is the default of Options.Interval.
const DefaultInterval = 10 * time.Second

// Options say how a Source works. The zero value of a field means its default.
type Options struct {
	// Interval is how long after a look at the files a handshake looks again.
	// Default: DefaultInterval.
	Interval time.Duration

	Now func() time.Time // default: time.Now
	Log *slog.Logger     // default: slog.Default()
}

// Source provides the current TLS configuration. Its methods may be called from any goroutine.
type Source struct {
	// Immutable.
	files Files
	o     Options

	current atomic.Pointer[tls.Config]

	mu sync.Mutex
	// Guarded by mu.
	looked    time.Time
	used      contents // what current was made of
	complaint string   // what was last logged, and still holds
}

// Open reads the files. The error names the file, and what is wrong with it.
func Open(f Files, o Options) (*Source, error) {
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Source{files: f, o: o, looked: o.Now()}
	err := f.check()
	if err == nil {
		_, err = s.load()
	}
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return s, nil
}

// Config is for a server to keep. It stands for whatever the files hold.
func (s *Source) Config() *tls.Config {
	// Tickets are encrypted with keys of this Config, so that they outlive a new
	// certificate. They do not outlive an authority: crypto/tls holds the chain in a
	// ticket against the ClientCAs of the Config that is returned here.
	cfg := base()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		s.look()
		return s.current.Load(), nil
	}
	return cfg
}

// look loads the files if the last check is long enough ago. It does not wait if another
// handshake is checking.
func (s *Source) look() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if now := s.o.Now(); now.Sub(s.looked) >= s.o.Interval {
		s.looked = now
		s.reload()
	}
}

// Reload loads the files now, and logs the result.
func (s *Source) Reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = s.o.Now()
	s.complaint = ""
	if !s.reload() {
		s.o.Log.Info("TLS files have not changed", "certificate", s.files.Cert)
	}
}

// reload reports whether there was anything to log about. It runs under mu.
func (s *Source) reload() bool {
	changed, err := s.load()
	switch {
	case err != nil && err.Error() == s.complaint:
		return false
	case err != nil:
		s.complaint = err.Error()
		s.o.Log.Error("TLS files cannot be used; their previous contents stay in use", "error", err)
		return true
	}
	s.complaint = ""
	if changed {
		s.o.Log.Info("TLS files were reloaded", "certificate", s.files.Cert, "expires", s.current.Load().Certificates[0].Leaf.NotAfter)
	}
	return changed
}

// load makes the contents of the files current. It runs under mu, or in Open.
func (s *Source) load() (changed bool, err error) {
	c, err := s.files.read()
	if err != nil {
		return false, err
	}
	if s.current.Load() != nil && c.equal(s.used) {
		return false, nil
	}
	cfg, err := s.files.config(c)
	if err != nil {
		return false, err
	}
	s.used = c
	s.current.Store(cfg)
	return true, nil
}
