// Command serve runs one WebSocket library as a server that can be measured:
// path / echoes each message, path /fanout sends each to everybody on that path.
//
//	serve -lib gorilla -addr 127.0.0.1:9002
//
// Each library has a file of its own, written as its documentation recommends,
// with no logging, no limit below 64 MiB and no compression.
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"slices"
	"strings"
)

// maxMessage is the largest message that the servers take, where a library has
// such a limit.
const maxMessage = 64 << 20

// libraries starts each library's server, which listens on addr until it fails.
var libraries = map[string]func(addr string) error{
	"coder":         coder,
	"fasthttp":      fast,
	"gobwas":        gobwas,
	"gorilla":       gorilla,
	"gws":           gwsServer,
	"nbio":          nbioNonBlocking,
	"nbio-blocking": nbioBlocking,
	"nbio-mixed":    nbioMixed,
	"xnet":          xnet,
}

func main() {
	lib := flag.String("lib", "", "`library` to run: "+strings.Join(slices.Sorted(maps.Keys(libraries)), ", "))
	addr := flag.String("addr", "127.0.0.1:9002", "`address` to listen on")
	flag.Parse()
	serve, ok := libraries[*lib]
	if !ok {
		log.Fatalf("serve: -lib is %q; it is one of %v", *lib, slices.Sorted(maps.Keys(libraries)))
	}
	log.Fatal(fmt.Errorf("serve: %s: %w", *lib, serve(*addr)))
}
