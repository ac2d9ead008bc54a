package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A problem with a server as a whole is reported once, before the table, and in its
// page; with a flag if there is one.
func TestNotes(t *testing.T) {
	t.Parallel()
	for defect, want := range map[string]string{
		"":                    "",
		"greets":              `the server greets first, with 1 message: text "Request served by \x1b[2J me"; --greeting 1 passes over that`,
		"answers in capitals": "the server is no echo server: it answers ",
		"closes at once":      `the server ends every connection at once with 1008 and "no token"`,
	} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			url, dir := serve(t, defect), t.TempDir()
			out, status := command("server", "--url", url, "--cases", "1.1.1,7.1.1", "--quiet", "--out", dir)
			if want != "" {
				if status != exitCannot || !strings.Contains(out, want) || !strings.Contains(out, "--anyway plays them all the same") || strings.Contains(out, "FAILED") {
					t.Errorf("%s: exit status %d:\n%s", defect, status, out)
				}
				out, status = command("server", "--url", url, "--cases", "1.1.1,7.1.1", "--quiet", "--out", dir, "--anyway")
			}
			note := "note: " + url + ": " + want
			if n := strings.Count(out, "note: "); want == "" && (n != 0 || status != exitPassed) || want != "" && (n != 1 || !strings.HasPrefix(out, note) || status != exitFailed) || strings.Contains(out, "\x1b") {
				t.Errorf("%s: exit status %d:\n%s", defect, status, out)
			}
			page, err := os.ReadFile(filepath.Join(dir, "faulty.html"))
			if err != nil || strings.Contains(string(page), "<b>Note:</b>") != (want != "") {
				t.Errorf("%s: the page does not have the note: %v", defect, err)
			}
		})
	}
	out, status := command("server", "--url", serve(t, "greets"), "--cases", "1.1.*,2.*,5.*,7.1.*", "--quiet", "--greeting", "1", "--time-scale", "3")
	if status != exitPassed || strings.Contains(out, "note: ") {
		t.Errorf("with --greeting: exit status %d:\n%s", status, out)
	}
	if out, status := command("server", "--url", "ws://127.0.0.1:1/", "--greeting", "-1"); status != exitUsage || !strings.Contains(out, "--greeting") {
		t.Errorf("exit status %d:\n%s", status, out)
	}
}
