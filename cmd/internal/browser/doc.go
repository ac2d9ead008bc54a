// Package browser is for tests: it starts Chromium, Firefox and WebKit, and drives
// them without a screen and without the network.
//
// A Browser has Profiles, each with storage of its own, so a profile is one person.
// A Profile has Tabs, which share that storage. What a test does to a Tab is what a
// user does: keys, clicks, going back, closing.
//
// Chromium is driven by the Chrome DevTools Protocol and Firefox by WebDriver BiDi,
// both over the project's own WebSocket client; WebKit, the engine of Safari, by
// WebDriver in the form of WebKitGTK's MiniBrowser.
//
// Only tests import the package, and the program with which browsers play wsconform's
// cases. It knows nothing of the page that is opened.
//
// Read browser.go and tab.go. Each engine is a file of its own; process.go is what
// ends them all, also when the test is killed.
package browser
