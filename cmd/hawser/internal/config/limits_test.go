package config

import (
	"slices"
	"strings"
	"testing"
)

// Every setting in the table [limits] is among the limits, with the value that is set.
func TestAllLimits(t *testing.T) {
	c, err := load("memory_budget = \"3MiB\"\n[limits]\nburst = 7\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	limits := c.AllLimits()
	for _, want := range []Limit{{"auth_timeout", `"5s"`}, {"max_message", `"64KiB"`}, {"memory_budget", `"3MiB"`}, {"limits.burst", "7"}, {"limits.messages_per_second", "10"}} {
		if !slices.Contains(limits, want) {
			t.Errorf("no %v in %v", want, limits)
		}
	}
	n := len(limitsElsewhere)
	for _, s := range settings {
		if strings.HasPrefix(s.key, "limits.") {
			n++
		}
	}
	if len(limits) != n {
		t.Errorf("%d limits, want %d", len(limits), n)
	}
}
