package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
)

// A program that has the key says something in a user's name, and nobody does without it.
func TestPublish(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("a key that is too short for spaces"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := publishKey(config.Config{PublishKeyFile: key}); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("a key with spaces: %v", err)
	}
	if err := os.WriteFile(key, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--publish-key-file="+key)
	_, id := s.guest("Harbour office")
	said := `{"type":"group","sender_id":"` + id + `","receiver_id":"lobby","content":"Berth 4 is free."}`
	if code, body := s.publish("0123456789abcdef", said); code != 200 {
		t.Errorf("with the key: %d %s", code, body)
	}
	if code, body := s.publish("0123456789abcdeX", said); code != 401 {
		t.Errorf("with another key: %d %s", code, body)
	}
}

// publish says something with a key.
func (s *service) publish(key, message string) (status int, body string) {
	s.t.Helper()
	r, err := http.NewRequest("POST", s.url+"/api/publish", strings.NewReader(message))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}
