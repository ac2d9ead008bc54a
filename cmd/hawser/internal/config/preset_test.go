package config

import (
	"strings"
	"testing"
)

// A preset changes defaults and no explicit setting, wherever the preset and the settings are
// given.
func TestPreset(t *testing.T) {
	type limits struct{ connections, requests, burst int }
	strict := limits{10, 5, 20}
	for _, c := range []struct {
		file    string
		environ []string
		args    []string
		want    limits
	}{
		{"", nil, nil, limits{2000, 100, 2000}},
		{"", nil, []string{"--preset", "strict"}, strict},
		{`preset = "strict"`, nil, nil, strict},
		{"", []string{"HAWSER_PRESET=strict"}, nil, strict},
		{`preset = "strict"`, nil, []string{"--preset=none"}, limits{2000, 100, 2000}},
		{"[limits]\nconnections_per_address = 2000", nil, []string{"--preset=strict"}, limits{2000, 5, 20}},
		{`preset = "strict"`, []string{"HAWSER_LIMITS_ADDRESS_REQUESTS_PER_SECOND=100"}, []string{"--limits.address-requests-burst=7"}, limits{10, 100, 7}},
	} {
		got, err := load(c.file, c.environ, c.args...)
		l := got.Limits
		if have := (limits{l.ConnectionsPerAddress, l.AddressRequestsPerSecond, l.AddressRequestsBurst}); have != c.want || err != nil {
			t.Errorf("%q, %q, %q: %+v, %v; want %+v", c.file, c.environ, c.args, have, err, c.want)
		}
	}
	if _, err := load("", nil, "--preset=lax"); err == nil || !strings.Contains(err.Error(), "none or strict") {
		t.Errorf("a preset that there is not: %v", err)
	}
	if want := "default 2000, with the preset strict 10"; !strings.Contains(strings.Join(strings.Fields(Usage()), " "), want) ||
		!strings.Contains(strings.ReplaceAll(Example(), "\n# ", " "), want) {
		t.Errorf("neither help nor example says %q", want)
	}
}

// The factor of a role is a number, in a file and elsewhere.
func TestRoles(t *testing.T) {
	for text, want := range map[string]string{
		"bot":         "bot\" has no =",
		"bot=x":       "\"x\" is not a number",
		"bot=-1":      "\"bot\" has the factor -1",
		"bot=NaN":     "\"bot\" has the factor NaN",
		"bot=1000001": "has the factor",
		"b t=1":       "\"b t\" is not the name of a role",
		"bot=1,bot=2": "\"bot\" occurs twice",
	} {
		if _, err := load("", nil, "--limits.roles="+text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
	for file, want := range map[string]string{
		"limits.roles = 1":                 "it is not a table",
		"[limits.roles]\nbot = \"2\"":      "is not a number",
		"[limits]\nroles = { bot = -0.5 }": "has the factor -0.5",
	} {
		if _, err := load(file, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", file, err, want)
		}
	}
	c, err := load("[limits.roles]\nbot = 2.5\n\"mod.erator\" = 3", nil)
	if err != nil || len(c.Limits.Roles) != 2 || c.Limits.Roles["bot"] != 2.5 || c.Limits.Roles["mod.erator"] != 3 {
		t.Errorf("%v, %v", c.Limits.Roles, err)
	}
}
