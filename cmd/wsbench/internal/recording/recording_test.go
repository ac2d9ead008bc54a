package recording

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const har = `{
  "log": {"version": "1.2", "entries": [
    {"request": {"url": "https://there/"}, "response": {}},
    {"request": {"url": "wss://there/ws"}, "_webSocketMessages": [
      {"type": "send", "time": 1764234000.25, "opcode": 1, "data": "hello"},
      {"type": "receive", "time": 1764234000.5, "opcode": 2, "data": "AAE="},
      {"type": "receive", "time": 1764234000.5, "opcode": 9, "data": ""}]},
    {"request": {"url": "wss://there/ws"}, "_webSocketMessages": [
      {"type": "send", "time": 1764234002.25, "opcode": 1, "data": "again"}]}]}
}`

const lines = `{"at": 10, "conn": "a", "sent": "hello"}

{"at": 12, "conn": "b", "sent": "again"}
{"at": 10.25, "conn": "a", "received": "AAE=", "binary": true}
`

// The two forms of a file say the same.
func TestForms(t *testing.T) {
	want := []Session{
		{{Sent: true, Data: []byte("hello")}, {At: int64(time.Second / 4), Binary: true, Data: []byte{0, 1}}},
		{{At: int64(2 * time.Second), Sent: true, Data: []byte("again")}},
	}
	compact := strings.ReplaceAll(har, "\n", "")
	for name, text := range map[string]string{"archive": har, "archive in one line": compact, "lines": lines} {
		file := filepath.Join(t.TempDir(), "recorded")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(r.Sessions, want) {
			t.Errorf("%s: %v, want %v", name, r.Sessions, want)
		}
		if r.Length != int64(2*time.Second) || r.Messages != 3 || r.Conns != 2 || r.Largest() != 5 || r.Name != file {
			t.Errorf("%s: %v, the largest of %d bytes", name, r, r.Largest())
		}
		if s := r.Summary(); s.Sessions != nil || s.String() != r.String() {
			t.Errorf("%s: the summary is %v with %d sessions, want %v without", name, s, len(s.Sessions), r)
		}
	}
}

func TestWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "neither an HTTP archive nor lines",
		"{\n\"conns\": 4}":                      "neither an HTTP archive nor lines",
		"\x00\x01":                              "neither an HTTP archive nor lines",
		"{\"at\":1,\"sent\":\"x\"}\n?":          "line 2: invalid",
		`{"at":1,"received":"x"}`:               "no message that a client sent",
		`{"sent":"x"}`:                          "line 1: at is missing",
		"{\"at\":1,\"sent\":\"x\"}\n{\"at\":1}": "line 2: there must be either sent or received",
		`{"at":1,"sent":"x","received":"y"}`:    "either sent or received",
		`{"at":-1,"sent":"x"}`:                  "-1 is no time",
		`{"at":1e300,"sent":"x"}`:               "no time",
		`{"at":1,"sent":"x","binary":true}`:     "base64",
		`{"at":1,"send":"x"}`:                   `unknown field "send"`,
		"{\"at\":0,\"sent\":\"x\"}\n{\"at\":8e9,\"sent\":\"\"}": "at most 720h0m0s",
		"{\n\"log\":{\"entries\":[]}}":                          "no WebSocket messages",
		"{\n\"log\":7}":                                         "as an HTTP archive",
		`{"log":{"entries":[{"request":{"url":"ws://x"},"_webSocketMessages":[{"type":"sent","opcode":1}]}]}}`: `ws://x: message 1: its type is "sent"`,
		`{"log":{"entries":[{"_webSocketMessages":[{"type":"send","opcode":2,"data":"?"}]}]}}`:                 "base64",
	} {
		if r, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", text, r, err, want)
		}
	}
}
