//go:build ignore

// Command mutate breaks chosen lines of the protocol packages, one at a time,
// and says which test notices. A mutation that none notices is a failure. The
// tree is not touched: the go command is given the broken file as an overlay.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

var mutations = []struct{ file, old, new string }{
	// lengths
	{"frame/header.go", "if h.Length < 126 {", "if h.Length < 125 {"},
	{"frame/header.go", "if h.Length <= 0xFFFF {", "if h.Length < 0xFFFF {"},
	{"frame/header.go", "case h.Length <= 125:", "case h.Length <= 126:"},
	{"frame/header.go", "length > MaxControlPayload", "length > MaxControlPayload+1"},
	{"frame/header.go", "len(b) > 2 && b[2]&0x80 != 0", "false"},
	{"frame/mask.go", "for len(p) > 8 {\n\t\t\tbinary", "for len(p) > 9 {\n\t\t\tbinary"},
	{"wsproto/conn.go", "|| length < 126 {", "|| length < 125 {"},
	{"wsproto/conn.go", "n+length > len(b)", "n+length >= len(b)+2"},
	{"wsproto/receive.go", "h.Length > uint64(limit-len(w.msg.bytes()))", "h.Length > uint64(limit-len(w.msg.bytes())+1)"},
	{"wsproto/receive.go", "w.fragments > fragments", "w.fragments > fragments+1"},
	{"wsproto/inflate.go", "len(plain.bytes())+n > limit", "len(plain.bytes())+n > limit+1"},
	{"wsproto/deflate.go", "len(w.b) + len(p) - size; surplus > 0", "len(w.b) + len(p) - size; surplus > 1"},
	{"wsproto/compress.go", "1<<windowBits)", "2<<windowBits)"},
	// checks
	{"wsproto/receive.go", "|| h.RSV2 ||", "||"},
	{"wsproto/receive.go", "(c.z == nil || !h.Opcode.IsData())", "c.z == nil"},
	{"wsproto/receive.go", "h.Masked != (c.cfg.Role == Server)", "false"},
	{"wsproto/receive.go", "h.Opcode == frame.Continuation && !inMessage", "false"},
	{"wsproto/receive.go", "h.Opcode.IsData() && inMessage", "false"},
	{"wsproto/receive.go", "!w.utf8.complete()", "false"},
	{"wsproto/receive.go", "case len(p) == 1:", "case false:"},
	{"wsproto/receive.go", "!code.Sendable()", "false"},
	{"wsproto/receive.go", "!validUTF8(reason)", "false"},
	{"wsproto/utf8.go", "u.lo = 0xA0", "u.lo = 0x80"},
	{"wsproto/utf8.go", "u.hi = 0x8F", "u.hi = 0xBF"},
	{"wsproto/code.go", "c <= 1003,", "c <= 1004,"},
}

var failed = regexp.MustCompile(`--- FAIL: (\S+)`)

func main() {
	root, err := os.Getwd()
	check(err)
	dir, err := os.MkdirTemp("", "mutate")
	check(err)
	defer os.RemoveAll(dir)
	survivors := 0
	for _, m := range mutations {
		path := filepath.Join(root, m.file)
		src, err := os.ReadFile(path)
		check(err)
		if strings.Count(string(src), m.old) != 1 {
			fmt.Printf("STALE     %s: %q stands there %d times\n", m.file, m.old, strings.Count(string(src), m.old))
			survivors++
			continue
		}
		broken := filepath.Join(dir, "broken.go")
		check(os.WriteFile(broken, []byte(strings.Replace(string(src), m.old, m.new, 1)), 0o600))
		overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{path: broken}})
		list := filepath.Join(dir, "overlay.json")
		check(os.WriteFile(list, overlay, 0o600))
		out, err := exec.Command("go", "test", "-short", "-timeout", "60s", "-overlay", list, "./"+filepath.Dir(m.file)).CombinedOutput()
		names := failed.FindSubmatch(out)
		switch {
		case err == nil:
			fmt.Printf("SURVIVES  %s: %q → %q\n", m.file, m.old, m.new)
			survivors++
		case names != nil:
			fmt.Printf("killed    %s: %q by %s\n", m.file, m.old, names[1])
		default:
			fmt.Printf("killed    %s: %q by a panic, a hang or the compiler\n", m.file, m.old)
		}
	}
	fmt.Printf("%d of %d mutations killed\n", len(mutations)-survivors, len(mutations))
	if survivors > 0 {
		os.Exit(1)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}
