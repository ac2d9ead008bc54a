package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// names are looked for in this order. On Ubuntu chromium-browser is a stub that only
// says how to install the real one, hence the check in find.
var names = []string{"chromium", "google-chrome", "google-chrome-stable", "chromium-browser"}

// startTimeout bounds a start on a busy machine.
const startTimeout = time.Minute

// Start starts a browser with a profile of its own, which ends with the test and
// leaves nothing behind. The context is that of its first tab; chromedp.NewContext
// makes another one from it.
//
// Without a browser the test is skipped, and fails where CI is "true".
func Start(t testing.TB) context.Context {
	t.Helper()
	path := find()
	if path == "" {
		const reason = "no Chromium or Chrome that runs is installed"
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Env("TMPDIR="+dir), // it leaves sockets there
		chromedp.NoSandbox,          // it refuses to run as root, and opens our own page only
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(startTimeout),
	)
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, endTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		endTab()
		endAllocator() // waits until the process is gone
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("the browser's files are left behind: %v", err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return ctx
}

// find returns the path of a browser, or "". It makes sure that it runs.
func find() string {
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		err = exec.CommandContext(ctx, path, "--version").Run()
		cancel()
		if err == nil {
			return path
		}
	}
	return ""
}
