package cmdline

import (
	"bytes"
	"errors"
	"flag"
	"os/exec"
	"strings"
	"testing"
)

// The script is given to a real shell, which completes by it.
func TestCompletion(t *testing.T) {
	f := flag.NewFlagSet("prog", flag.ContinueOnError)
	f.String("url", "", "")
	f.Int("conns", 0, "")
	f.Bool("quiet", false, "")
	var script bytes.Buffer
	if err := Completion(&script, "bash", "prog", []string{"echo", "fanout"}, f); err != nil {
		t.Fatal(err)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	for words, want := range map[string]string{
		"prog ''":              "echo fanout",
		"prog fa":              "fanout",
		"prog echo --":         "--conns --quiet --url",
		"prog echo --url x --": "--conns --quiet --url",
		"prog echo --co":       "--conns",
		"prog echo --url ''":   "", // a file's name
	} {
		ask := script.String() + "COMP_WORDS=(" + words + "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _prog; echo ${COMPREPLY[@]}"
		out, err := exec.Command(bash, "-c", ask).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", words, got, err, want)
		}
	}
	for shell, want := range map[string]string{"zsh": "bashcompinit", "fish": "complete -c prog -l conns\n"} {
		var b bytes.Buffer
		if err := Completion(&b, shell, "prog", []string{"echo"}, f); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("%s: %v\n%s", shell, err, &b)
		}
	}
	if err := Completion(&script, "cmd.exe", "prog", nil, f); !errors.As(err, new(*Error)) {
		t.Errorf("an unknown shell: %v", err)
	}
}
