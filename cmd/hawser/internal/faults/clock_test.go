//go:build linux

package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// skewVariable holds the number of seconds by which the clock of a node built by
// skewedProgram is wrong.
const skewVariable = "FAULTS_CLOCK_SKEW"

const skewSource = `package time

import "syscall"

// faultsSkew is in seconds.
var faultsSkew = func() (n int64) {
	text, _ := syscall.Getenv("` + skewVariable + `")
	negative := len(text) > 0 && text[0] == '-'
	for i := 0; i < len(text); i++ {
		if '0' <= text[i] && text[i] <= '9' {
			n = n*10 + int64(text[i]-'0')
		}
	}
	if negative {
		return -n
	}
	return n
}()
`

// skewing is held while the program is built.
var skewing sync.Mutex

// skewedProgram builds the program with a clock that can be set wrong. The system cannot set
// one process's clock, and a switch in the program itself could be used by an attacker; so
// time.Now is changed when the program is compiled. That compiles everything, the standard
// library too, which takes a minute the first time.
func skewedProgram(t *testing.T) string {
	t.Helper()
	const reading = "sec, nsec, mono := runtimeNow()\n"
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	b, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(b), reading) != 1 {
		t.Fatalf("time.Now does not read the clock by %q any more", reading)
	}
	skewing.Lock()
	defer skewing.Unlock()
	dir, out := buildDir, filepath.Join(buildDir, "hawser-skewed")
	if _, err := os.Stat(out); err == nil {
		return out
	}
	changed, skew := filepath.Join(dir, "time.go"), filepath.Join(dir, "skew.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		original: changed, filepath.Join(filepath.Dir(original), "faultsskew.go"): skew,
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		changed: strings.Replace(string(b), reading, reading+"\tsec += faultsSkew\n", 1), skew: skewSource, filepath.Join(dir, "overlay.json"): string(overlay),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out, "github.com/hawser-ws/hawser/cmd/hawser")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build with another time.Now: %v\n%s", err, b)
	}
	return out
}
