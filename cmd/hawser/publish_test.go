package main

import (
	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	publish := func(auth string) int {
		r, err := http.NewRequest("POST", s.url+"/api/publish", strings.NewReader(`{"type":"group","sender_id":"`+id+`","receiver_id":"lobby","content":"Berth 4 is free."}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", auth)
		resp, err := s.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := publish("Bearer 0123456789abcdef"); code != 200 {
		t.Errorf("with the key: %d", code)
	}
	if code := publish("Bearer 0123456789abcdeX"); code != 401 {
		t.Errorf("with another key: %d", code)
	}
}
