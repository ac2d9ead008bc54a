package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
	"github.com/hawser-ws/hawser/cmd/internal/logtest"
	"github.com/hawser-ws/hawser/cmd/internal/terminal/terminaltest"
)

// What a hostile client sends does not act on the terminal that shows the log.
func TestHostileClient(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		s := launch(t, t.TempDir(), "127.0.0.1:0", "--log-format", format, "--log-level", "debug")
		terminaltest.Attack(t, strings.TrimPrefix(s.url, "http://"))
		s.stop()
		terminaltest.Check(t, format, s.log.String())
	}
}

// Whatever a record holds is escaped, and JSON remains the same JSON.
func TestHostileLog(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var b logtest.Buffer
		log := newLog(config.Config{LogFormat: format}, &b)
		log.Warn(terminaltest.Bytes, terminaltest.Bytes, terminaltest.Bytes, "text", terminaltest.Text)
		log.Close(patience)
		terminaltest.Check(t, format, b.String())
		var record map[string]any
		if format == "json" && (json.Unmarshal([]byte(b.String()), &record) != nil || record["text"] != terminaltest.Text) {
			t.Errorf("%s: %v", b.String(), record)
		}
	}
}
