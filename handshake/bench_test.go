package handshake

import (
	"strconv"
	"strings"
	"testing"
)

// browserHello is a handshake as a browser sends it.
const browserHello = hello +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n" +
	"Origin: https://good.example\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Accept-Language: en\r\n" +
	"Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"Sec-WebSocket-Protocol: chat\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

// BenchmarkUpgrade is this package's own part of a handshake: net/http and the
// sockets are left out.
func BenchmarkUpgrade(b *testing.B) {
	for _, c := range []struct {
		name, raw string
		deflate   *DeflateOptions
	}{
		{"bare", hello + "\r\n", nil},
		{"browser", browserHello, nil},
		{"deflate", browserHello, &DeflateOptions{ClientMaxWindowBits: 10}},
	} {
		b.Run(c.name, func(b *testing.B) {
			u := &Upgrader{Origins: []string{"https://good.example"}, Subprotocols: []string{"chat"}, Deflate: c.deflate}
			r := parsed(b, c.raw)
			w := newHijackable()
			defer w.close()
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				if _, _, _, err := u.Upgrade(w, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHandshake is the whole of it, both roles on loopback.
func BenchmarkHandshake(b *testing.B) {
	addr, outcomes := serve(b, &Upgrader{})
	b.ReportAllocs()
	for b.Loop() {
		nc, _, _, err := Dial(b.Context(), "ws://"+addr, nil)
		if err != nil {
			b.Fatal(err)
		}
		(<-outcomes).nc.Close()
		nc.Close()
	}
}

// BenchmarkParseExtensions is what a hostile header costs: its elements are
// bounded in number, and what is left to grow with its length is linear.
func BenchmarkParseExtensions(b *testing.B) {
	for _, c := range []struct{ name, start, piece, end string }{
		{"elements", "", "a,", "a"},
		{"params", "a", ";a", ""},
		{"empty", "", ",", "a"},
		{"token", "", "a", ""},
		{"quoted", `a;b="`, `\a`, `"`},
	} {
		for _, n := range []int{1 << 10, 16 << 10} {
			lines := []string{c.start + strings.Repeat(c.piece, n/len(c.piece)) + c.end}
			b.Run(c.name+"/"+strconv.Itoa(n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					parseExtensions(lines)
				}
			})
		}
	}
}
