package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// KeyFile is the name of the key's file in the data folder. It holds one line,
// "hawser-token-key-1 " and the key in base64, and its mode is 0600.
const KeyFile = "token.key"

const (
	keyPrefix = "hawser-token-key-1 "
	keySize   = 32 // bytes, the size of HMAC-SHA-256's output
)

// loadKey reads the key in dir. If there is none, it makes one, and dir if necessary.
func loadKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, KeyFile)
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKey(dir, path, os.Link); err == nil {
			key, err = readKey(path)
		}
	}
	return key, wrap(err)
}

func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("chat/auth: token key: %w", err)
	}
	return nil
}

// ReadKeyFile returns the content of the key's file in dir, after checking it, and the key's
// KeyID. The error is fs.ErrNotExist if there is no file.
func ReadKeyFile(dir string) (contents []byte, id string, err error) {
	key, err := readKey(filepath.Join(dir, KeyFile))
	if err != nil {
		return nil, "", wrap(err)
	}
	return formatKey(key), keyID(key), nil
}

// WriteKeyFile writes contents, which ReadKeyFile returned, as the key in dir. It replaces an
// existing key; a crash leaves either the old or the new one.
func WriteKeyFile(dir string, contents []byte) error {
	path := filepath.Join(dir, KeyFile)
	if _, err := parseKey(path, contents); err != nil {
		return wrap(err)
	}
	return wrap(writeKey(dir, path, contents, os.Rename))
}

// ReplaceKey makes a new key in dir, and replaces an existing one. All tokens that were issued
// before are then invalid.
func ReplaceKey(dir string) error {
	return wrap(makeKey(dir, filepath.Join(dir, KeyFile), os.Rename))
}

// ReplaceKeyFile is ReplaceKey for a file of any name.
func ReplaceKeyFile(path string) error {
	return wrap(makeKey(filepath.Dir(path), path, os.Rename))
}

// keyID returns an identifier that reveals nothing about the key.
func keyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("hawser key id\x00"), key...))
	return hex.EncodeToString(sum[:8])
}

func formatKey(key []byte) []byte {
	return []byte(keyPrefix + base64.StdEncoding.EncodeToString(key) + "\n")
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s has mode %04o, so other users can read it; change it to 0600", path, mode)
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: it belongs to a different user than the one this process runs as", err)
	}
	if err != nil {
		return nil, err
	}
	return parseKey(path, b)
}

func parseKey(path string, b []byte) ([]byte, error) {
	if len(strings.TrimSpace(string(b))) == 0 {
		return nil, fmt.Errorf("%s is empty; restore it from a backup", path)
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(string(b)), keyPrefix)
	if !ok {
		return nil, fmt.Errorf("%s does not begin with %q; restore it from a backup", path, keyPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%s does not contain %d bytes in base64; restore it from a backup", path, keySize)
	}
	return key, nil
}

// makeKey makes a new key. name moves the file to its place: os.Link fails if another process
// was faster, whose key is then used; os.Rename replaces an existing key.
func makeKey(dir, path string, name func(temp, path string) error) error {
	key := make([]byte, keySize)
	rand.Read(key)
	return writeKey(dir, path, formatKey(key), name)
}

// writeKey writes the whole key and syncs it before it moves it to its place, because the loss
// of the key would invalidate all tokens.
func writeKey(dir, path string, contents []byte, name func(temp, path string) error) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, KeyFile+".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(contents)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := name(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
