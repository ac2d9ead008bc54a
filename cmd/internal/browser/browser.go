package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Engine names a browser engine.
type Engine string

const (
	Chromium Engine = "chromium"
	Firefox  Engine = "firefox"
	WebKit   Engine = "webkit"
)

// Engines are all of them.
var Engines = []Engine{Chromium, Firefox, WebKit}

// startTimeout bounds a start on a busy machine.
const startTimeout = 3 * time.Minute

// Browser is a running browser.
type Browser struct {
	Engine Engine

	driver driver
	dir    string // with its profile, and whatever else it writes
	log    log    // of its processes
}

// Profile is storage of its own, cookies included: one person's.
type Profile struct {
	browser *Browser
	driver  profile
}

// driver, profile and tab are what an engine does.
type driver interface {
	profile(ctx context.Context) (profile, error)
	close()
}

type profile interface {
	open(ctx context.Context, width, height int) (tab, error)
	close(ctx context.Context) error
}

type tab interface {
	navigate(ctx context.Context, url string) error
	reload(ctx context.Context) error
	back(ctx context.Context) error
	// evaluate returns the string that an expression, a promise of one, becomes.
	evaluate(ctx context.Context, expression string) (string, error)
	insert(ctx context.Context, text string) error
	press(ctx context.Context, keys []key) error
	click(ctx context.Context, x, y int) error
	compose(ctx context.Context, text string) error
	commit(ctx context.Context) error
	resize(ctx context.Context, width, height int) error
	offline(ctx context.Context, offline bool) error
	screenshot(ctx context.Context) ([]byte, error)
	close(ctx context.Context, leave bool) (asked bool, err error)
}

// Start starts a browser, which Close ends. An error says what is not installed.
func Start(engine Engine) (*Browser, error) {
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		return nil, err
	}
	b := &Browser{Engine: engine, dir: dir}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	switch engine {
	case Chromium:
		b.driver, err = startChromium(ctx, b)
	case Firefox:
		b.driver, err = startFirefox(ctx, b)
	case WebKit:
		b.driver, err = startWebKit(b)
	default:
		err = errors.New("there is no such engine")
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, b.explain(err)
	}
	return b, nil
}

// Close ends the browser and removes its files.
func (b *Browser) Close() error {
	b.driver.close()
	return os.RemoveAll(b.dir)
}

// Profile makes a new profile. WebKit starts a process for each.
func (b *Browser) Profile(ctx context.Context) (*Profile, error) {
	p, err := b.driver.profile(ctx)
	if err != nil {
		return nil, b.explain(err)
	}
	return &Profile{b, p}, nil
}

// Close closes the profile's tabs without asking their pages, and forgets what was
// stored.
func (p *Profile) Close(ctx context.Context) error {
	return p.browser.explain(p.driver.close(ctx))
}

// Open opens an empty tab whose viewport has a size in CSS pixels.
func (p *Profile) Open(ctx context.Context, width, height int) (*Tab, error) {
	t, err := p.driver.open(ctx, width, height)
	if err != nil {
		return nil, p.browser.explain(err)
	}
	return &Tab{p.browser, t}, nil
}

// explain adds the browser's name to an error and, unless a script is at fault, what
// the browser has written to stderr.
func (b *Browser) explain(err error) error {
	if err == nil {
		return nil
	}
	var fault *PageError
	if said := strings.TrimSpace(b.log.String()); said != "" && !errors.As(err, &fault) {
		return fmt.Errorf("%s: %w; it wrote:\n%s", b.Engine, err, said)
	}
	return fmt.Errorf("%s: %w", b.Engine, err)
}

// PageError is a script that threw, or rejected its promise.
type PageError struct{ Message string }

func (e *PageError) Error() string { return e.Message }

// errEnded is in the errors of all that one does with a browser that is gone.
var errEnded = errors.New("the browser has ended")

// command finds the first of some programs that is installed. On Ubuntu some are stubs
// that only say how to install the real one, hence the check.
func command(ctx context.Context, pkg string, names ...string) (string, error) {
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if exec.CommandContext(ctx, path, "--version").Run() == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %s is installed and runs: install the package %s, which \"make tools\" does", strings.Join(names, ", "), pkg)
}

// decode is json.Unmarshal for results that the caller may not want.
func decode(p json.RawMessage, result any) error {
	if result == nil || len(p) == 0 {
		return nil
	}
	return json.Unmarshal(p, result)
}

// quote returns a string as JavaScript writes it.
func quote(s string) string {
	p, err := json.Marshal(s)
	if err != nil {
		panic("browser: " + err.Error())
	}
	return string(p)
}
