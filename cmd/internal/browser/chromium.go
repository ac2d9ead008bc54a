package browser

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// chromium is driven by the Chrome DevTools Protocol.
type chromium struct {
	process *process
	rpc     *rpc
}

// chromiumFlags keep it off the screen, off the network and out of other profiles, and
// let windows that are not in front work like the one that is.
var chromiumFlags = []string{
	"--headless=new", "--remote-debugging-port=0", "--remote-allow-origins=*",
	"--no-sandbox", // it refuses to run as root otherwise, and opens our own pages only
	"--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio",
	"--no-first-run", "--no-default-browser-check", "--password-store=basic", "--use-mock-keychain",
	"--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
	"--disable-default-apps", "--disable-extensions", "--disable-domain-reliability", "--disable-client-side-phishing-detection",
	"--disable-breakpad", "--log-level=3", // that is, what ends it
	"--metrics-recording-only", "--no-pings",
	"--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,AutofillServerCommunication,HttpsUpgrades",
	"--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
	"--disable-ipc-flooding-protection",
}

var devToolsLine = regexp.MustCompile(`(?m)^DevTools listening on (\S+)\n`)

func startChromium(ctx context.Context, b *Browser) (*chromium, error) {
	path, err := command(ctx, "chromium", "chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
	if err != nil {
		return nil, err
	}
	c := &chromium{}
	flags := append([]string{"--user-data-dir=" + filepath.Join(b.dir, "profile")}, chromiumFlags...)
	// It leaves sockets in TMPDIR.
	if c.process, err = start(b.dir, &b.log, []string{"TMPDIR=" + b.dir}, path, flags...); err != nil {
		return nil, err
	}
	url, err := b.log.find(ctx, c.process, devToolsLine)
	if err == nil {
		c.rpc, err = dialRPC(ctx, url)
	}
	if err != nil {
		c.process.kill()
		return nil, err
	}
	return c, nil
}

func (c *chromium) close() {
	c.rpc.conn.CloseNow()
	c.process.kill()
}

func (c *chromium) profile(ctx context.Context) (profile, error) {
	var r struct{ BrowserContextID string }
	err := c.rpc.call(ctx, "", "Target.createBrowserContext", struct{}{}, &r)
	return &chromiumProfile{c.rpc, r.BrowserContextID}, err
}

type chromiumProfile struct {
	rpc *rpc
	id  string
}

// close closes the tabs again while it waits. A tab that is about to show another document sometimes
// survives the first attempt, and Chromium 156 then waits for it for ever.
func (p *chromiumProfile) close(ctx context.Context) error {
	closed := make(chan error, 1)
	go func() {
		closed <- p.rpc.call(ctx, "", "Target.disposeBrowserContext", map[string]any{"browserContextId": p.id}, nil)
	}()
	again := time.NewTicker(250 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case err := <-closed:
			return err
		case <-again.C:
		}
		if err := p.closeTabs(ctx); err != nil {
			return err
		}
	}
}

func (p *chromiumProfile) closeTabs(ctx context.Context) error {
	var r struct {
		TargetInfos []struct{ TargetID, BrowserContextID string }
	}
	if err := p.rpc.call(ctx, "", "Target.getTargets", struct{}{}, &r); err != nil {
		return err
	}
	for _, target := range r.TargetInfos {
		if target.BrowserContextID == p.id {
			// An error says that it is gone meanwhile.
			_ = p.rpc.call(ctx, "", "Target.closeTarget", map[string]any{"targetId": target.TargetID}, nil)
		}
	}
	return nil
}

func (p *chromiumProfile) open(ctx context.Context, width, height int) (tab, error) {
	t := &chromiumTab{rpc: p.rpc}
	var target struct{ TargetID string }
	if err := p.rpc.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": p.id, "newWindow": true}, &target); err != nil {
		return nil, err
	}
	t.target = target.TargetID
	var session struct{ SessionID string }
	if err := p.rpc.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": t.target, "flatten": true}, &session); err != nil {
		return nil, err
	}
	t.session = session.SessionID
	for _, step := range []struct {
		method string
		params any
	}{
		{"Page.enable", struct{}{}},
		{"Page.setLifecycleEventsEnabled", map[string]any{"enabled": true}},
		{"Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}},
	} {
		if err := t.call(ctx, step.method, step.params, nil); err != nil {
			return nil, err
		}
	}
	return t, t.resize(ctx, width, height)
}

type chromiumTab struct {
	rpc             *rpc
	target, session string
	composing       string
}

func (t *chromiumTab) call(ctx context.Context, method string, params, result any) error {
	return t.rpc.call(ctx, t.session, method, params, result)
}

// expectLoad expects a document other than the current one, which may still be loading.
func (t *chromiumTab) expectLoad(ctx context.Context) (*expectation, error) {
	var r struct {
		FrameTree struct {
			Frame struct{ ID, LoaderID string }
		}
	}
	if err := t.call(ctx, "Page.getFrameTree", struct{}{}, &r); err != nil {
		return nil, err
	}
	now := r.FrameTree.Frame
	lifecycle := eventOf(t.session, "Page.lifecycleEvent")
	return t.rpc.expect(func(method, session string, params json.RawMessage) bool {
		var ev struct{ FrameID, LoaderID, Name string }
		return lifecycle(method, session, params) && json.Unmarshal(params, &ev) == nil &&
			ev.Name == "load" && ev.FrameID == now.ID && ev.LoaderID != now.LoaderID
	}), nil
}

func (t *chromiumTab) navigate(ctx context.Context, url string) error {
	loaded, err := t.expectLoad(ctx)
	if err != nil {
		return err
	}
	defer t.rpc.forget(loaded)
	var r struct{ LoaderID, ErrorText string }
	if err := t.call(ctx, "Page.navigate", map[string]any{"url": url}, &r); err != nil {
		return err
	}
	if r.ErrorText != "" {
		return errors.New(url + ": " + r.ErrorText)
	}
	if r.LoaderID == "" {
		return nil // within the document
	}
	return t.rpc.wait(ctx, loaded)
}

func (t *chromiumTab) reload(ctx context.Context) error {
	loaded, err := t.expectLoad(ctx)
	if err != nil {
		return err
	}
	defer t.rpc.forget(loaded)
	if err := t.call(ctx, "Page.reload", struct{}{}, nil); err != nil {
		return err
	}
	return t.rpc.wait(ctx, loaded)
}

func (t *chromiumTab) back(ctx context.Context) error {
	var history struct {
		CurrentIndex int
		Entries      []struct{ ID int }
	}
	if err := t.call(ctx, "Page.getNavigationHistory", struct{}{}, &history); err != nil {
		return err
	}
	if history.CurrentIndex == 0 {
		return errors.New("there is nothing to go back to")
	}
	return t.call(ctx, "Page.navigateToHistoryEntry", map[string]any{"entryId": history.Entries[history.CurrentIndex-1].ID}, nil)
}

func (t *chromiumTab) evaluate(ctx context.Context, expression string) (value string, err error) {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err = t.call(ctx, "Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	if err == nil && r.ExceptionDetails != nil {
		err = &PageError{strings.TrimSpace(r.ExceptionDetails.Text + " " + r.ExceptionDetails.Exception.Description)}
	}
	if err != nil {
		return "", err
	}
	return value, json.Unmarshal(r.Result.Value, &value)
}

func (t *chromiumTab) insert(ctx context.Context, text string) error {
	return t.call(ctx, "Input.insertText", map[string]any{"text": text}, nil)
}

func (t *chromiumTab) press(ctx context.Context, keys []key) error {
	held := 0
	event := func(kind string, k key) error {
		params := map[string]any{"type": kind, "key": k.name, "code": k.code, "windowsVirtualKeyCode": k.vk, "modifiers": held}
		if kind == "keyDown" && held&^8 == 0 && k.text != "" { // only Shift leaves the text
			params["text"] = k.text
		}
		return t.call(ctx, "Input.dispatchKeyEvent", params, nil)
	}
	for _, k := range keys {
		held |= k.modifier
		if err := event("keyDown", k); err != nil {
			return err
		}
	}
	for i := range keys {
		k := keys[len(keys)-1-i]
		held &^= k.modifier
		if err := event("keyUp", k); err != nil {
			return err
		}
	}
	return nil
}

func (t *chromiumTab) click(ctx context.Context, x, y int) error {
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		params := map[string]any{"type": kind, "x": x, "y": y}
		if kind != "mouseMoved" {
			params["button"], params["clickCount"] = "left", 1
		}
		if err := t.call(ctx, "Input.dispatchMouseEvent", params, nil); err != nil {
			return err
		}
	}
	return nil
}

// processKey is the key that a page sees when an input method has consumed the real one.
var processKey = key{name: "Process", vk: 229}

func (t *chromiumTab) compose(ctx context.Context, text string) error {
	t.composing = text
	if err := t.call(ctx, "Input.dispatchKeyEvent", map[string]any{"type": "rawKeyDown", "key": processKey.name, "windowsVirtualKeyCode": processKey.vk}, nil); err != nil {
		return err
	}
	return t.call(ctx, "Input.imeSetComposition", map[string]any{"text": text, "selectionStart": len([]rune(text)), "selectionEnd": len([]rune(text))}, nil)
}

func (t *chromiumTab) commit(ctx context.Context) error {
	if err := t.call(ctx, "Input.dispatchKeyEvent", map[string]any{"type": "rawKeyDown", "key": processKey.name, "code": "Enter", "windowsVirtualKeyCode": processKey.vk}, nil); err != nil {
		return err
	}
	if err := t.insert(ctx, t.composing); err != nil {
		return err
	}
	return t.call(ctx, "Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}, nil)
}

func (t *chromiumTab) resize(ctx context.Context, width, height int) error {
	return t.call(ctx, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

func (t *chromiumTab) offline(ctx context.Context, offline bool) error {
	if err := t.call(ctx, "Network.enable", struct{}{}, nil); err != nil {
		return err
	}
	return t.call(ctx, "Network.emulateNetworkConditions", map[string]any{"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}, nil)
}

func (t *chromiumTab) screenshot(ctx context.Context) ([]byte, error) {
	var r struct{ Data []byte }
	err := t.call(ctx, "Page.captureScreenshot", map[string]any{"format": "png"}, &r)
	return r.Data, err
}

func (t *chromiumTab) close(ctx context.Context, leave bool) (asked bool, err error) {
	asks := t.rpc.expect(eventOf(t.session, "Page.javascriptDialogOpening"))
	defer t.rpc.forget(asks)
	gone := t.rpc.expect(func(method, _ string, params json.RawMessage) bool {
		var p struct{ SessionID string }
		return method == "Target.detachedFromTarget" && json.Unmarshal(params, &p) == nil && p.SessionID == t.session
	})
	defer t.rpc.forget(gone)
	if err := t.call(ctx, "Page.close", struct{}{}, nil); err != nil {
		return false, err
	}
	select {
	case <-gone.found:
		return false, nil
	case <-asks.found:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if err := t.call(ctx, "Page.handleJavaScriptDialog", map[string]any{"accept": leave}, nil); err != nil || !leave {
		return true, err
	}
	return true, t.rpc.wait(ctx, gone)
}
