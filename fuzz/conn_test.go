package fuzz

import (
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/wsproto"
)

// choose reads settings out of two bytes of the input.
func choose(role wsproto.Role, a, b byte) settings {
	s := settings{
		Role:      role,
		Limit:     [...]int{1024, 1, 100, 70_000}[a&3],
		Fragments: [...]int{3, -1, 1, 1024}[a>>2&3],
		Stream:    a&0x10 != 0,
		Closing:   a&0x20 != 0,
	}
	if a&0x40 != 0 {
		s.Deflate = chooseDeflate(b)
	}
	return s
}

func chooseDeflate(b byte) *wsproto.Deflate {
	return &wsproto.Deflate{
		ServerNoContextTakeover: b&1 != 0,
		ClientNoContextTakeover: b&2 != 0,
		ServerMaxWindowBits:     8 + b>>2&7,
		ClientMaxWindowBits:     8 + b>>5,
	}
}

func FuzzServer(f *testing.F) { fuzzConn(f, wsproto.Server) }
func FuzzClient(f *testing.F) { fuzzConn(f, wsproto.Client) }

// Any stream of bytes, in any settings and however it is cut, leads to the same
// events and the same answers, which are those of the reference.
func fuzzConn(f *testing.F, role wsproto.Role) {
	type unit struct {
		first   byte
		payload string
	}
	long := strings.Repeat("0123456789abcdef", 8)
	for _, stream := range [][]unit{
		{{0x81, "Hello"}},
		{{0x82, ""}, {0x81, "κόσμε"}, {0x82, long}},
		{{0x01, "Hel"}, {0x89, "ping"}, {0x80, "lo"}},                    // F18
		{{0x01, "\xCE"}, {0x80, "\xBC"}},                                 // F19
		{{0x01, "a"}, {0x00, ""}, {0x00, "b"}, {0x00, "c"}, {0x80, "d"}}, // F10
		{{0x81, "\xED\xA0\x80"}},                                         // F19
		{{0x88, "\x03\xE8bye"}, {0x89, "late"}},                          // C06
		{{0x88, ""}}, {{0x88, "\x03"}}, {{0x88, "\x03\xEE"}},             // C04, C01, C02
		{{0x88, "\x03\xE8\xFF"}},                                  // C05
		{{0x89, long[:125]}, {0x8A, ""}, {0x89, ""}},              // C12
		{{0x89, long}}, {{0x09, ""}}, {{0x83, ""}}, {{0x80, "a"}}, // F17, F15, F16
		{{0x01, "a"}, {0x81, "b"}}, {{0xC1, "a"}}, {{0xA1, ""}}, // F16, F14
		{{0xC1, "\xF2\x48\xCD\xC9\xC9\x07\x00"}, {0xC1, "\xF2\x00\x11\x00\x00"}}, // RFC 7692 §7.2.3.1, §7.2.3.2
		{{0x41, "\xF2\x48\xCD"}, {0x80, "\xC9\xC9\x07\x00"}},
		{{0xC1, "\x00\x05\x00\xFA\xFFHello\x00"}, {0xC0, ""}}, // §7.2.3.3, Z03
		{{0x82, strings.Repeat(long, 9)}},
	} {
		var in []byte
		for _, u := range stream {
			in = appendWire(in, u.first, []byte(u.payload), role == wsproto.Server)
		}
		for _, a := range []byte{0, 0x10, 0x20, 0x40} {
			f.Add(a, byte(0xFC), []byte{2, 3}, in)
		}
	}
	for _, n := range []int{125, 126, 65_535, 65_536, 70_000, 70_001} { // F07
		head := appendWire(nil, 0x82, make([]byte, n), role == wsproto.Server)
		f.Add(byte(3), byte(0), []byte{1, 200}, head[:min(len(head), 200)])
	}
	for _, header := range []string{
		"\x82\xFF\x80", "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFFkkkk", "\x81\xFE\x00\x05kkkkhello", // F02, F04, F13
		"\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "\x81\x02hi", "\x82\xFE\x04\x01kkkk", "\x82\x7E\x04\x01", // F01, F07
	} {
		f.Add(byte(0), byte(0), []byte{1, 2}, []byte(header))
	}
	f.Fuzz(func(t *testing.T, a, b byte, cuts, in []byte) {
		choose(role, a, b).check(t, in, cuts)
	})
}
