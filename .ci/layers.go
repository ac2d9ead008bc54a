//go:build ignore

// Command layers checks that imports only point down, that the protocol
// packages link nothing they should not, and that no WebSocket library is in
// the module graph. Run it as "make layers".
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const module = "github.com/hawser-ws/hawser/"

// may says which of our packages each one may import. A name stands for its
// package and everything below it; the longest name that fits decides.
var may = map[string][]string{
	"root":                       {"wsproto/wsconn", "handshake", "wsproto", "frame"},
	"frame":                      {},
	"server/rate":                {},
	"wsproto":                    {"frame", "wsproto/snapshot"},
	"wsproto/snapshot":           {},
	"wsproto/internal/pipe":      {},
	"wsproto/wsconn/enablehttp2": {},
	"wsproto/wsconn":             {"handshake", "wsproto", "frame", "wsproto/internal/pipe"},
	"wsproto/wstest":             {"handshake", "wsproto", "frame", "wsproto/internal/pipe", "wsproto/wsconn"},
	"handshake":                  {"wsproto"},
	"server":                     {"handshake", "wsproto", "frame", "server/rate", "server/handover"},
	"server/handover":            {"wsproto/snapshot"},
	"chat":                       {"wsproto", "frame", "server/rate", "chat"},
	"chat/auth":                  {"chat"},
	"chat/api":                   {"chat", "server/rate"},
	"autobahn":                   {"autobahn"},
	"fuzz":                       {"frame", "wsproto", "handshake"},
	"cmd":                        {"frame", "wsproto", "handshake", "server", "chat", "autobahn", "cmd"},
}

// engines keep what is said. None knows of another one, and the chat and its doors know
// of none, outside their tests.
var engines = []string{"chat/memory", "chat/bolt", "chat/redis"}

// links says which modules outside the standard library a package may link.
var links = map[string][]string{
	"root":           {"golang.org/x/sys", "github.com/klauspost/compress", "golang.org/x/net"},
	"frame":          {"golang.org/x/sys"},
	"server/rate":    {},
	"wsproto":        {"golang.org/x/sys", "github.com/klauspost/compress"},
	"wsproto/wsconn": {"golang.org/x/sys", "github.com/klauspost/compress", "golang.org/x/net"},
	"wsproto/wstest": {"golang.org/x/sys", "github.com/klauspost/compress", "golang.org/x/net"},
	"handshake":      {"golang.org/x/sys", "github.com/klauspost/compress"},
	"server":         {"golang.org/x/sys", "github.com/klauspost/compress"},
	"chat":           {"golang.org/x/sys", "github.com/klauspost/compress", "golang.org/x/text", "go.mau.fi/util", "github.com/tidwall/btree"},
	"autobahn":       {"github.com/klauspost/compress", "golang.org/x/net", "golang.org/x/text"},
}

// wsproto does no input or output of its own.
var forbidden = map[string][]string{
	"frame":   {"net", "time", "log", "os"},
	"wsproto": {"net", "time", "log", "log/slog", "os", "math/rand", "math/rand/v2", "crypto/rand"},
	"chat":    {"net/http", "net"},
}

// only says who alone may import a library: a package, or what lies below it.
var only = map[string]string{
	"github.com/prometheus": "cmd/hawser/internal/metrics",
}

var libraries = []string{
	"github.com/gorilla/websocket", "github.com/coder/websocket", "nhooyr.io/websocket",
	"github.com/gobwas/ws", "github.com/lxzan/gws", "github.com/lesismal/nbio",
	"golang.org/x/net/websocket", "github.com/fasthttp/websocket",
}

func main() {
	var problems []string
	for _, line := range list("list", "-f", "{{.ImportPath}}\t{{join .Imports \" \"}}", "./...") {
		path, imports, _ := strings.Cut(line, "\t")
		pkg := name(path)
		allowed, ok := longest(may, pkg)
		if !ok {
			problems = append(problems, pkg+" is in no layer")
		}
		for _, i := range strings.Fields(imports) {
			ours := name(i)
			if ours != i && !below(allowed, ours) || slices.Contains(engines, ours) && strings.HasPrefix(pkg, "chat") {
				problems = append(problems, fmt.Sprintf("an import points up: %s imports %s", pkg, ours))
			}
			if slices.Contains(forbidden[pkg], i) {
				problems = append(problems, fmt.Sprintf("%s imports %s", pkg, i))
			}
			for library, owner := range only {
				if below([]string{library}, i) && !below([]string{owner}, pkg) {
					problems = append(problems, fmt.Sprintf("only %s may import %s: %s does", owner, i, pkg))
				}
			}
			if below(libraries, i) {
				problems = append(problems, fmt.Sprintf("a WebSocket library: %s imports %s", pkg, i))
			}
		}
		if mods, ok := links[pkg]; ok {
			for _, dep := range list("list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", path) {
				if dep != "" && dep+"/" != module && !slices.Contains(mods, dep) {
					problems = append(problems, fmt.Sprintf("%s links %s", pkg, dep))
				}
			}
		}
	}
	for _, line := range list("list", "-m", "all") {
		if mod, _, _ := strings.Cut(line, " "); below(libraries, mod) {
			problems = append(problems, "a WebSocket library in the module graph: "+mod)
		}
	}
	slices.Sort(problems)
	for _, p := range slices.Compact(problems) {
		fmt.Fprintln(os.Stderr, "layers:", p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Println("layers: imports only point down")
}

// name returns how the tables above call one of our packages: by its path below the
// module, and root for the module's own. Other packages keep their path.
func name(path string) string {
	if path+"/" == module {
		return "root"
	}
	return strings.TrimPrefix(path, module)
}

// longest returns the value of the longest key that pkg is or lies below.
func longest(m map[string][]string, pkg string) (v []string, ok bool) {
	for name := pkg; ; {
		if v, ok = m[name]; ok {
			return v, true
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return nil, false
		}
		name = name[:i]
	}
}

// below reports whether pkg is, or lies below, one of the names.
func below(names []string, pkg string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return pkg == n || strings.HasPrefix(pkg, n+"/") })
}

func list(args ...string) (lines []string) {
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "layers: go", strings.Join(args, " ")+":", err)
		os.Exit(1)
	}
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}
