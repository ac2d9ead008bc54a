package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// webkit is WebKitGTK's MiniBrowser, which WebKitWebDriver drives over HTTP. A driver
// has one session, so each profile is a driver, a browser and a screen of its own: only
// a window alone on its screen has the focus.
type webkit struct {
	b       *Browser
	program string // MiniBrowser's path

	mu       sync.Mutex
	profiles []*webkitProfile // Guarded by mu. Those that are open.
}

// miniBrowsers are where distributions put it: outside of PATH.
var miniBrowsers = []string{
	"/usr/lib/*/webkit2gtk-4.1/MiniBrowser", // Debian: the folder names the machine
	"/usr/lib/*/webkit*gtk-*/MiniBrowser",
	"/usr/lib/webkit*gtk-*/MiniBrowser",
	"/usr/libexec/webkit*gtk-*/MiniBrowser",
}

func startWebKit(b *Browser) (*webkit, error) {
	for _, name := range []string{"WebKitWebDriver", "Xvfb"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("%w: install the packages webkit2gtk-driver and xvfb, which \"make tools\" does", err)
		}
	}
	for _, pattern := range miniBrowsers {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return &webkit{b: b, program: found[0]}, nil
		}
	}
	return nil, fmt.Errorf("MiniBrowser is in none of %s: install the package webkit2gtk-driver, which \"make tools\" does", strings.Join(miniBrowsers, ", "))
}

func (k *webkit) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.profiles {
		p.end()
	}
}

// profile starts the processes again if another program has taken the driver's port.
func (k *webkit) profile(ctx context.Context) (profile, error) {
	for attempt := 1; ; attempt++ {
		p := &webkitProfile{webkit: k}
		err := p.start(ctx)
		if err == nil {
			k.mu.Lock()
			k.profiles = append(k.profiles, p)
			k.mu.Unlock()
			return p, nil
		}
		p.end()
		if attempt == 3 || ctx.Err() != nil {
			return nil, err
		}
	}
}

type webkitProfile struct {
	webkit    *webkit
	dir       string
	processes []*process
	session   string // its URL

	// mu makes choosing a window and using it one step.
	mu    sync.Mutex
	first bool // Guarded by mu. The only window is still the one it starts with.
}

func (p *webkitProfile) start(ctx context.Context) error {
	var err error
	if p.dir, err = os.MkdirTemp(p.webkit.b.dir, "profile"); err != nil {
		return err
	}
	dir := p.dir
	screen, err := startScreen(ctx, dir)
	if err != nil {
		return err
	}
	p.processes = append(p.processes, screen.process)
	port, err := freePort()
	if err != nil {
		return err
	}
	environment := []string{
		"DISPLAY=" + screen.display, "GDK_BACKEND=x11", "GTK_IM_MODULE=gtk-im-context-simple", "GTK_A11Y=none", "NO_AT_BRIDGE=1",
		"HOME=" + dir, "TMPDIR=" + dir, "XDG_RUNTIME_DIR=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_CACHE_HOME=" + dir, "XDG_DATA_HOME=" + dir,
		"GSETTINGS_BACKEND=memory", "LIBGL_ALWAYS_SOFTWARE=1", "LC_ALL=C.UTF-8",
		// Most of its time would go into these: drawing by an OpenGL without a graphics
		// card, and scanning GStreamer's plugins again for every profile.
		"WEBKIT_DISABLE_COMPOSITING_MODE=1", "GST_PLUGIN_SYSTEM_PATH_1_0=",
	}
	driver, err := start(dir, &p.webkit.b.log, environment, "WebKitWebDriver", "--port="+strconv.Itoa(port))
	if err != nil {
		return err
	}
	p.processes = append(p.processes, driver)
	return p.connect(ctx, driver, "http://127.0.0.1:"+strconv.Itoa(port))
}

func (p *webkitProfile) connect(ctx context.Context, driver *process, url string) error {
	p.session = url
	for p.do(ctx, "GET", "/status", nil, nil) != nil { // nothing tells when it listens
		select {
		case <-driver.dead:
			return errors.New("WebKitWebDriver has ended before it was ready")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	var session struct{ SessionID string }
	capabilities := map[string]any{
		"webkitgtk:browserOptions": map[string]any{"binary": p.webkit.program, "args": []string{"--automation", "--javascript-can-open-windows-automatically=true"}},
		"timeouts":                 map[string]any{"script": 600_000},
	}
	if err := p.do(ctx, "POST", "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": capabilities}}, &session); err != nil {
		return err
	}
	p.session = url + "/session/" + session.SessionID
	p.first = true
	return nil
}

// end ends its processes and removes its files.
func (p *webkitProfile) end() error {
	for _, process := range p.processes {
		process.kill()
	}
	return os.RemoveAll(p.dir)
}

func (p *webkitProfile) close(ctx context.Context) error {
	p.webkit.mu.Lock()
	defer p.webkit.mu.Unlock()
	for i, other := range p.webkit.profiles {
		if other == p {
			p.webkit.profiles = append(p.webkit.profiles[:i], p.webkit.profiles[i+1:]...)
			return p.end()
		}
	}
	return nil
}

// do makes a request of the driver.
func (p *webkitProfile) do(ctx context.Context, method, path string, body, result any) error {
	var content bytes.Buffer
	if method == "POST" {
		if body == nil {
			body = struct{}{}
		}
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, p.session+path, &content)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	defer response.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if response.StatusCode == http.StatusOK {
		return decode(answer.Value, result)
	}
	var fault struct{ Error, Message string }
	if err := json.Unmarshal(answer.Value, &fault); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if fault.Error == "javascript error" && !strings.Contains(fault.Message, "unload") {
		return &PageError{fault.Message}
	}
	if fault.Error == "invalid session id" { // MiniBrowser has ended, and its driver has not
		return fmt.Errorf("%w: %s", errEnded, path)
	}
	return fmt.Errorf("%s: %s: %s", path, fault.Error, fault.Message)
}

// open has a window open another one: only such a window can be without a tool bar,
// which is wider than a telephone. The one with a tool bar goes, or it would keep the
// focus.
func (p *webkitProfile) open(ctx context.Context, width, height int) (tab, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var before, after []string
	if err := p.do(ctx, "GET", "/window/handles", nil, &before); err != nil {
		return nil, err
	}
	if len(before) == 0 {
		return nil, errors.New("the profile's last tab is closed")
	}
	if err := p.do(ctx, "POST", "/window", map[string]any{"handle": before[0]}, nil); err != nil {
		return nil, err
	}
	script := fmt.Sprintf("window.open('about:blank', '_blank', 'noopener,popup,width=%d,height=%d')", width, height)
	if err := p.do(ctx, "POST", "/execute/sync", map[string]any{"script": script, "args": []any{}}, nil); err != nil {
		return nil, err
	}
	if err := p.do(ctx, "GET", "/window/handles", nil, &after); err != nil {
		return nil, err
	}
	for _, handle := range after {
		known := false
		for _, old := range before {
			known = known || old == handle
		}
		if !known {
			if p.first {
				p.first = false
				if err := p.do(ctx, "DELETE", "/window", nil, nil); err != nil {
					return nil, err
				}
			}
			t := &webkitTab{p, handle}
			return t, t.resizeLocked(ctx, width, height)
		}
	}
	return nil, errors.New("no window was opened")
}

type webkitTab struct {
	profile *webkitProfile
	handle  string
}

// do makes a request for this tab.
func (t *webkitTab) do(ctx context.Context, method, path string, body, result any) error {
	t.profile.mu.Lock()
	defer t.profile.mu.Unlock()
	return t.doLocked(ctx, method, path, body, result)
}

func (t *webkitTab) doLocked(ctx context.Context, method, path string, body, result any) error {
	if err := t.profile.do(ctx, "POST", "/window", map[string]any{"handle": t.handle}, nil); err != nil {
		return err
	}
	return t.profile.do(ctx, method, path, body, result)
}

func (t *webkitTab) navigate(ctx context.Context, url string) error {
	return t.do(ctx, "POST", "/url", map[string]any{"url": url}, nil)
}

func (t *webkitTab) reload(ctx context.Context) error {
	return t.do(ctx, "POST", "/refresh", nil, nil)
}

func (t *webkitTab) back(ctx context.Context) error {
	return t.do(ctx, "POST", "/back", nil, nil)
}

func (t *webkitTab) evaluate(ctx context.Context, expression string) (value string, err error) {
	err = t.do(ctx, "POST", "/execute/sync", map[string]any{"script": "return " + expression, "args": []any{}}, &value)
	return value, err
}

func (t *webkitTab) insert(ctx context.Context, text string) error {
	_, err := t.evaluate(ctx, fmt.Sprintf("String("+insertScript+")", quote(text)))
	return err
}

func (t *webkitTab) act(ctx context.Context, actions []action) error {
	return t.do(ctx, "POST", "/actions", map[string]any{"actions": actions}, nil)
}

func (t *webkitTab) press(ctx context.Context, keys []key) error {
	return t.act(ctx, pressActions(keys))
}

func (t *webkitTab) click(ctx context.Context, x, y int) error {
	return t.act(ctx, clickActions(x, y))
}

// compose uses GTK's own input method, which begins with Ctrl+Shift+U.
func (t *webkitTab) compose(ctx context.Context, text string) error {
	runes := []rune(text)
	if len(runes) != 1 {
		return errors.New("WebKit composes one character")
	}
	if err := t.press(ctx, []key{named["Control"], named["Shift"], character("u")}); err != nil {
		return err
	}
	for _, digit := range strconv.FormatInt(int64(runes[0]), 16) {
		if err := t.press(ctx, []key{character(string(digit))}); err != nil {
			return err
		}
	}
	return nil
}

func (t *webkitTab) commit(ctx context.Context) error {
	return t.press(ctx, []key{named["Enter"]})
}

func (t *webkitTab) resize(ctx context.Context, width, height int) error {
	t.profile.mu.Lock()
	defer t.profile.mu.Unlock()
	return t.resizeLocked(ctx, width, height)
}

func (t *webkitTab) resizeLocked(ctx context.Context, width, height int) error {
	return t.doLocked(ctx, "POST", "/window/rect", map[string]any{"width": width, "height": height}, nil)
}

func (t *webkitTab) offline(context.Context, bool) error { return errors.ErrUnsupported }

func (t *webkitTab) screenshot(ctx context.Context) (picture []byte, err error) {
	err = t.do(ctx, "GET", "/screenshot", nil, &picture)
	return picture, err
}

// close never sees a page ask: WebDriver has the browser answer for it (WebDriver 2,
// section 18, "User prompts").
func (t *webkitTab) close(ctx context.Context, leave bool) (asked bool, err error) {
	return false, t.do(ctx, "DELETE", "/window", nil, nil)
}

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
