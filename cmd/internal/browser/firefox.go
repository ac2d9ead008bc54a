package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// firefox is driven by WebDriver BiDi.
type firefox struct {
	process *process
	rpc     *rpc
}

// firefoxPrefs keep it off the network, silence what it asks at the first start, and
// let windows that are not in front work like the one that is.
var firefoxPrefs = map[string]any{
	"app.update.enabled":                                          false,
	"app.update.disabledForTesting":                               true,
	"app.update.auto":                                             false,
	"app.normandy.enabled":                                        false,
	"app.normandy.api_url":                                        "",
	"app.shield.optoutstudies.enabled":                            false,
	"browser.aboutwelcome.enabled":                                false,
	"browser.contentblocking.report.lockwise.enabled":             false,
	"browser.discovery.enabled":                                   false,
	"browser.newtabpage.enabled":                                  false,
	"browser.newtabpage.activity-stream.feeds.system.topstories":  false,
	"browser.newtabpage.activity-stream.feeds.topsites":           false,
	"browser.newtabpage.activity-stream.telemetry":                false,
	"browser.pagethumbnails.capturing_disabled":                   true,
	"browser.ping-centre.telemetry":                               false,
	"browser.region.network.url":                                  "",
	"browser.region.update.enabled":                               false,
	"browser.safebrowsing.blockedURIs.enabled":                    false,
	"browser.safebrowsing.downloads.enabled":                      false,
	"browser.safebrowsing.downloads.remote.enabled":               false,
	"browser.safebrowsing.malware.enabled":                        false,
	"browser.safebrowsing.phishing.enabled":                       false,
	"browser.safebrowsing.provider.google4.updateURL":             "",
	"browser.safebrowsing.provider.mozilla.updateURL":             "",
	"browser.search.update":                                       false,
	"browser.sessionstore.resume_from_crash":                      false,
	"browser.shell.checkDefaultBrowser":                           false,
	"browser.startup.homepage":                                    "about:blank",
	"browser.startup.homepage_override.mstone":                    "ignore",
	"browser.startup.page":                                        0,
	"browser.topsites.contile.enabled":                            false,
	"browser.translations.enable":                                 false,
	"browser.uitour.enabled":                                      false,
	"browser.urlbar.suggest.searches":                             false,
	"captivedetect.canonicalURL":                                  "",
	"datareporting.healthreport.uploadEnabled":                    false,
	"datareporting.policy.dataSubmissionEnabled":                  false,
	"datareporting.policy.dataSubmissionPolicyBypassNotification": true,
	"dom.min_background_timeout_value":                            4,
	"dom.timeout.enable_budget_timer_throttling":                  false,
	"dom.push.connection.enabled":                                 false,
	"dom.push.serverURL":                                          "",
	"extensions.blocklist.enabled":                                false,
	"extensions.getAddons.cache.enabled":                          false,
	"extensions.systemAddon.update.enabled":                       false,
	"extensions.systemAddon.update.url":                           "",
	"extensions.update.enabled":                                   false,
	"focusmanager.testmode":                                       true,
	"geo.provider.network.url":                                    "",
	"media.gmp-manager.updateEnabled":                             false,
	"media.gmp-manager.url":                                       "",
	"messaging-system.rsexperimentloader.enabled":                 false,
	"network.captive-portal-service.enabled":                      false,
	"network.connectivity-service.enabled":                        false,
	"network.dns.disablePrefetch":                                 true,
	"network.http.speculative-parallel-limit":                     0,
	"network.manage-offline-status":                               false,
	"network.prefetch-next":                                       false,
	"network.websocket.delay-failed-reconnects":                   false, // a host whose handshake failed is dialled again at once
	"network.trr.mode":                                            5,
	"privacy.trackingprotection.enabled":                          false,
	"security.remote_settings.crlite_filters.enabled":             false,
	"security.remote_settings.intermediates.enabled":              false,
	"services.settings.server":                                    "data:,#remote-settings-dummy/v1",
	"signon.rememberSignons":                                      false,
	"toolkit.telemetry.enabled":                                   false,
	"toolkit.telemetry.server":                                    "",
	"toolkit.telemetry.unified":                                   false,
	"toolkit.winRegisterApplicationRestart":                       false,
	"widget.disable-workspace-management":                         true,
}

var biDiLine = regexp.MustCompile(`(?m)^WebDriver BiDi listening on (\S+)\n`)

func startFirefox(ctx context.Context, b *Browser) (*firefox, error) {
	path, err := command(ctx, "firefox-esr", "firefox-esr", "firefox")
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(b.dir, "profile")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	var prefs strings.Builder
	for name, value := range firefoxPrefs {
		v, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&prefs, "user_pref(%q, %s);\n", name, v)
	}
	if err := os.WriteFile(filepath.Join(folder, "user.js"), []byte(prefs.String()), 0o600); err != nil {
		return nil, err
	}
	f := &firefox{}
	environment := []string{"HOME=" + b.dir, "TMPDIR=" + b.dir, "MOZ_CRASHREPORTER_DISABLE=1", "MOZ_DISABLE_AUTO_SAFE_MODE=1"}
	f.process, err = start(b.dir, &b.log, environment, path, "--headless", "--no-remote", "--new-instance", "--profile", folder, "--remote-debugging-port=0", "about:blank")
	if err != nil {
		return nil, err
	}
	if err := f.connect(ctx, b); err != nil {
		f.process.kill()
		return nil, err
	}
	return f, nil
}

func (f *firefox) connect(ctx context.Context, b *Browser) error {
	url, err := b.log.find(ctx, f.process, biDiLine)
	if err != nil {
		return err
	}
	if f.rpc, err = dialRPC(ctx, url+"/session"); err != nil {
		return err
	}
	// A page that asks whether to leave is answered by close.
	capabilities := map[string]any{"alwaysMatch": map[string]any{"unhandledPromptBehavior": map[string]any{"default": "ignore"}}}
	if err := f.rpc.call(ctx, "", "session.new", map[string]any{"capabilities": capabilities}, nil); err != nil {
		return err
	}
	return f.rpc.call(ctx, "", "session.subscribe", map[string]any{"events": []string{"browsingContext.userPromptOpened", "browsingContext.contextDestroyed"}}, nil)
}

func (f *firefox) close() {
	f.rpc.conn.CloseNow()
	f.process.kill()
}

func (f *firefox) profile(ctx context.Context) (profile, error) {
	var r struct{ UserContext string }
	err := f.rpc.call(ctx, "", "browser.createUserContext", struct{}{}, &r)
	return &firefoxProfile{f.rpc, r.UserContext}, err
}

type firefoxProfile struct {
	rpc *rpc
	id  string
}

func (p *firefoxProfile) close(ctx context.Context) error {
	return p.rpc.call(ctx, "", "browser.removeUserContext", map[string]any{"userContext": p.id}, nil)
}

func (p *firefoxProfile) open(ctx context.Context, width, height int) (tab, error) {
	var r struct{ Context string }
	if err := p.rpc.call(ctx, "", "browsingContext.create", map[string]any{"type": "window", "userContext": p.id}, &r); err != nil {
		return nil, err
	}
	t := &firefoxTab{p.rpc, r.Context}
	return t, t.resize(ctx, width, height)
}

type firefoxTab struct {
	rpc     *rpc
	context string
}

// call adds the tab to the parameters of a command.
func (t *firefoxTab) call(ctx context.Context, method string, params map[string]any, result any) error {
	params["context"] = t.context
	return t.rpc.call(ctx, "", method, params, result)
}

func (t *firefoxTab) navigate(ctx context.Context, url string) error {
	return t.call(ctx, "browsingContext.navigate", map[string]any{"url": url, "wait": "complete"}, nil)
}

func (t *firefoxTab) reload(ctx context.Context) error {
	return t.call(ctx, "browsingContext.reload", map[string]any{"wait": "complete"}, nil)
}

func (t *firefoxTab) back(ctx context.Context) error {
	return t.call(ctx, "browsingContext.traverseHistory", map[string]any{"delta": -1}, nil)
}

func (t *firefoxTab) evaluate(ctx context.Context, expression string) (string, error) {
	var r struct {
		Type             string
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	params := map[string]any{"expression": expression, "target": map[string]any{"context": t.context}, "awaitPromise": true}
	err := t.rpc.call(ctx, "", "script.evaluate", params, &r)
	if err == nil && r.Type == "exception" {
		err = &PageError{r.ExceptionDetails.Text}
	}
	return r.Result.Value, err
}

func (t *firefoxTab) insert(ctx context.Context, text string) error {
	_, err := t.evaluate(ctx, fmt.Sprintf("String("+insertScript+")", quote(text)))
	return err
}

func (t *firefoxTab) press(ctx context.Context, keys []key) error {
	return t.call(ctx, "input.performActions", map[string]any{"actions": pressActions(keys)}, nil)
}

func (t *firefoxTab) click(ctx context.Context, x, y int) error {
	return t.call(ctx, "input.performActions", map[string]any{"actions": clickActions(x, y)}, nil)
}

func (t *firefoxTab) compose(context.Context, string) error { return errors.ErrUnsupported }

func (t *firefoxTab) commit(context.Context) error { return errors.ErrUnsupported }

func (t *firefoxTab) resize(ctx context.Context, width, height int) error {
	return t.call(ctx, "browsingContext.setViewport", map[string]any{"viewport": map[string]any{"width": width, "height": height}, "devicePixelRatio": 1}, nil)
}

func (t *firefoxTab) offline(ctx context.Context, offline bool) error {
	params := map[string]any{"contexts": []string{t.context}, "networkConditions": nil}
	if offline {
		params["networkConditions"] = map[string]any{"type": "offline"}
	}
	return t.rpc.call(ctx, "", "emulation.setNetworkConditions", params, nil)
}

func (t *firefoxTab) screenshot(ctx context.Context) ([]byte, error) {
	var r struct{ Data []byte }
	err := t.call(ctx, "browsingContext.captureScreenshot", map[string]any{}, &r)
	return r.Data, err
}

func (t *firefoxTab) close(ctx context.Context, leave bool) (asked bool, err error) {
	ours := func(name string) *expectation {
		return t.rpc.expect(func(method, _ string, params json.RawMessage) bool {
			var p struct{ Context string }
			return method == name && json.Unmarshal(params, &p) == nil && p.Context == t.context
		})
	}
	asks, gone := ours("browsingContext.userPromptOpened"), ours("browsingContext.contextDestroyed")
	defer t.rpc.forget(asks)
	defer t.rpc.forget(gone)
	// The command returns when the tab is closed, after the answer.
	closed := make(chan error, 1)
	go func() {
		closed <- t.call(ctx, "browsingContext.close", map[string]any{"promptUnload": true}, nil)
	}()
	select {
	case <-asks.found:
	case <-gone.found:
		return false, nil
	case err := <-closed:
		return false, err
	}
	if err := t.call(ctx, "browsingContext.handleUserPrompt", map[string]any{"accept": leave}, nil); err != nil || !leave {
		return true, err
	}
	return true, t.rpc.wait(ctx, gone)
}
