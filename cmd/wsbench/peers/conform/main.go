// Command conform runs one WebSocket library as the echoing server or client that
// wsconform tests. It is set up to conform: permessage-deflate is on, text is
// checked for UTF-8, and nothing below 256 MiB is refused.
//
//	conform -lib gorilla -listen 127.0.0.1:9002
//	conform -lib gorilla -url ws://127.0.0.1:9001 -agent gorilla
//	conform -lib gorilla -version
//
// The servers that are measured are other ones, in ../serve: they are set up to be
// fast. Each library has a file of its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
)

// maxMessage is the largest message that is taken, where a library has such a limit.
const maxMessage = 256 << 20

// library is what is done with a library.
type library struct {
	module string
	// serve echoes on every connection to addr, and listens until it fails.
	serve func(addr string) error
	// echo dials a URL and echoes until the connection ends; nil: the library has no
	// client.
	echo func(url string) error
}

var libraries = map[string]library{
	"coder":    {"github.com/coder/websocket", serveCoder, echoCoder},
	"fasthttp": {"github.com/fasthttp/websocket", serveFast, nil},
	"gobwas":   {"github.com/gobwas/ws", serveGobwas, echoGobwas},
	"gorilla":  {"github.com/gorilla/websocket", serveGorilla, echoGorilla},
	"gws":      {"github.com/lxzan/gws", serveGWS, echoGWS},
	"nbio":     {"github.com/lesismal/nbio", serveNbio, echoNbio},
	"xnet":     {"golang.org/x/net", serveXnet, echoXnet},
}

func main() {
	names := strings.Join(slices.Sorted(maps.Keys(libraries)), ", ")
	lib := flag.String("lib", "", "`library` to run: "+names)
	listen := flag.String("listen", "", "`address` to serve on")
	version := flag.Bool("version", false, "print the library's module and version")
	var c client
	flag.StringVar(&c.url, "url", "", "`URL` of the tester whose cases the client plays")
	flag.StringVar(&c.agent, "agent", "", "`name` to report under (default: the library's)")
	flag.IntVar(&c.parallel, "parallel", 8, "cases at once")
	flag.Parse()
	l, ok := libraries[*lib]
	if !ok {
		log.Fatalf("conform: -lib is %q; it is one of %s", *lib, names)
	}
	if c.agent == "" {
		c.agent = *lib
	}
	var err error
	switch {
	case *version:
		fmt.Println(l)
	case *listen != "":
		err = l.serve(*listen)
	case c.url == "":
		err = errors.New("it needs -listen or -url")
	case l.echo == nil:
		err = errors.New("it has no client")
	default:
		err = c.run(l.echo)
	}
	if err != nil {
		log.Fatalf("conform: %s: %v", *lib, err)
	}
}

// String is the library's module and version.
func (l library) String() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == l.module {
				return m.Path + " " + m.Version
			}
		}
	}
	return l.module
}
