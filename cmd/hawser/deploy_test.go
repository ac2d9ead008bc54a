package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The alert rules are good, raise what they should and nothing else, and know only metrics that
// there are.
func TestAlertRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = "deploy"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	rules, err := os.ReadFile("deploy/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`hawser_[a-z_]+`).FindAllString(string(rules), -1) {
		for _, part := range []string{"_bucket", "_count"} {
			name = strings.TrimSuffix(name, part)
		}
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("METRICS.md does not know %s", name)
		}
	}
}
