package adminapi

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/hawser-ws/hawser/chat/guard"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/audit"
)

// keyPrefix begins every key, so that it is recognised where it should not be.
const keyPrefix = "hawser_admin_"

// hashPrefix names the hash in a file of keys. A slow hash with a salt is for passwords, which
// can be guessed from their hashes. A key has 130 random bits and cannot be guessed from a
// list: at 10^12 tries per second, a trillionth of all keys takes 40 million years. And a fast
// hash costs nothing when strangers try keys.
const hashPrefix = "sha256:"

// maxKeysFile is the maximum size of a file of keys, in bytes.
const maxKeysFile = 1 << 20

// Key is an administrator's key as the server keeps it.
type Key struct {
	Name string // of its owner, for the audit log
	Hash [sha256.Size]byte
}

var keyName = regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,64}$`)

// CheckName returns what is wrong with the name of a key, if anything is.
func CheckName(name string) error {
	switch {
	case !keyName.MatchString(name):
		return fmt.Errorf("%q is not a name for a key, which has 1 to 64 of A-Z a-z 0-9 _ . @ -", name)
	case name == audit.Automatic, name == guard.By:
		return fmt.Errorf("the name %s stands for the server itself, in the audit log or in bans", name)
	}
	return nil
}

// NewKey returns a new key for the administrator called name, and the part that the server
// keeps.
func NewKey(name string) (secret string, k Key) {
	secret = keyPrefix + rand.Text()
	return secret, Key{name, sha256.Sum256([]byte(secret))}
}

// CheckKey returns what is wrong with a text that should be a key, without showing it.
func CheckKey(secret string) error {
	if !strings.HasPrefix(secret, keyPrefix) || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("it does not have a key, which is one word that begins with " + keyPrefix)
	}
	return nil
}

// String is the line of a key in a file of keys.
func (k Key) String() string { return k.Name + " " + hashPrefix + hex.EncodeToString(k.Hash[:]) }

// ParseKeys reads a file of keys: a name and a hash on each line. Empty lines, and those that
// begin with #, are ignored.
func ParseKeys(text []byte) (keys []Key, err error) {
	names := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, err := parseKey(line)
		if err == nil && names[k.Name] {
			err = fmt.Errorf("the name %s occurs twice", k.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		names[k.Name] = true
		keys = append(keys, k)
	}
	return keys, lines.Err()
}

// parseKey does not quote the text in place of the hash: it may be a key.
func parseKey(line string) (k Key, err error) {
	fields := strings.Fields(line)
	if len(fields) != 2 {
		return k, errors.New("it does not have a name and a hash")
	}
	if err := CheckName(fields[0]); err != nil {
		return k, err
	}
	digits, ok := strings.CutPrefix(fields[1], hashPrefix)
	hash, err := hex.DecodeString(digits)
	if !ok || err != nil || len(hash) != len(k.Hash) {
		return k, fmt.Errorf("the hash of %s is not %s and %d digits, as \"hawser new-admin-key\" writes it", fields[0], hashPrefix, 2*len(k.Hash))
	}
	return Key{fields[0], [sha256.Size]byte(hash)}, nil
}

// ReadKeys reads the keys in a file. Only its owner and group may be able to change it.
func ReadKeys(path string) ([]Key, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.Size() > maxKeysFile:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxKeysFile)
	case info.Mode().Perm()&0o002 != 0:
		return nil, fmt.Errorf("%s can be changed by everybody; chmod o-w takes that away", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// AddKey makes a key, and appends a line for it to a file of keys, which it makes if there is
// none.
func AddKey(path, name string) (secret string, err error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	old, err := ReadKeys(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, k := range old {
		if k.Name == name {
			return "", fmt.Errorf("%s has a key for %s already; remove that line, or choose another name", path, name)
		}
	}
	secret, k := NewKey(name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return "", err
	}
	line := k.String() + "\n"
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if f.ReadAt(last, info.Size()-1); last[0] != '\n' {
			line = "\n" + line
		}
	}
	_, err = f.WriteString(line)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return secret, nil
}

// find returns the name of a key. It compares all keys, in constant time, so that the time
// reveals nothing about them.
func find(keys []Key, secret string) (name string, found bool) {
	hash := sha256.Sum256([]byte(secret))
	for _, k := range keys {
		if subtle.ConstantTimeCompare(hash[:], k.Hash[:]) == 1 {
			name, found = k.Name, true
		}
	}
	return name, found
}
