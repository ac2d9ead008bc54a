package adminapi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	ada, err := AddKey(path, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// A person has added a line without a newline at its end.
	text, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append([]byte("# ours\n\n"), strings.TrimSpace(string(text))...), 0o600); err != nil {
		t.Fatal(err)
	}
	bob, err := AddKey(path, "bob@example")
	if err != nil {
		t.Fatal(err)
	}
	text, _ = os.ReadFile(path)
	if strings.Contains(string(text), ada) || strings.Contains(string(text), bob) || ada == bob || len(ada) < len(keyPrefix)+26 {
		t.Errorf("keys %q and %q in\n%s", ada, bob, text)
	}
	keys, err := ReadKeys(path)
	if err != nil || len(keys) != 2 {
		t.Fatalf("%v, %v", keys, err)
	}
	for secret, want := range map[string]string{ada: "ada", bob: "bob@example", "": "", ada + " ": "", strings.ToLower(ada): "", ada[:len(ada)-1]: "", keys[0].String(): ""} {
		if name, found := find(keys, secret); name != want || found != (want != "") {
			t.Errorf("%q is the key of %q", secret, name)
		}
	}
	for name, says := range map[string]string{"ada": "has a key for ada already", "a b": "not a name", "": "not a name", "automatic": "stands for the server itself", "guard": "stands for the server itself", strings.Repeat("x", 65): "not a name"} {
		if secret, err := AddKey(path, name); err == nil || secret != "" || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q, %v; want %q", name, secret, err, says)
		}
	}
	if again, _ := os.ReadFile(path); string(again) != string(text) {
		t.Errorf("what was refused has changed the file:\n%s", again)
	}
}

// An invalid file gives no keys at all, and the error does not show text that may be a key.
func TestKeysRefused(t *testing.T) {
	secret, k := NewKey("ada")
	for text, says := range map[string]string{
		secret:                         "line 1: it does not have a name and a hash",
		"\nada " + secret:              "line 2: the hash of ada is not sha256: and 64 digits",
		k.String() + "\n" + k.String(): "line 2: the name ada occurs twice",
		k.String()[:len(k.String())-2]: "line 1: the hash of ada",
		strings.Replace(k.String(), "ada", "automatic", 1): "stands for the server itself",
		k.String() + " x":                "line 1: it does not have",
		"ada " + strings.Repeat("f", 64): "line 1: the hash of ada",
	} {
		keys, err := ParseKeys([]byte(text))
		if err == nil || keys != nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v, %v; want %q", text, keys, err, says)
		}
	}
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(k.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o646); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeys(path); err == nil || !strings.Contains(err.Error(), "can be changed by everybody") {
		t.Errorf("a file that everybody can change: %v", err)
	}
}

func TestCheckKey(t *testing.T) {
	secret, _ := NewKey("ada")
	if err := CheckKey(secret); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "x", secret + "\n", secret + " x", secret + "é"} {
		if err := CheckKey(bad); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
