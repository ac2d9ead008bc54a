// Package browser is for tests: it finds a Chromium or Chrome on the machine and
// drives it without a window.
//
// Only tests import it, so that no program links it. It knows nothing of the page
// that is opened. Read browser.go.
package browser
