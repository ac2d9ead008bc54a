package server

import (
	"bytes"
	"unsafe"

	"github.com/hawser-ws/hawser/handshake"
)

// A loop takes opening handshakes that look as clients write them, and leaves everything
// else to net/http. The grammar that it knows is a part of RFC 9112's:
//
//	request = "GET" SP target SP "HTTP/1.1" CRLF *( name ":" OWS value OWS CRLF ) CRLF
//	target  = "/" *( ALPHA / DIGIT / "-" / "." / "_" / "~" / "/" ) [ "?" *( %x21-7E ) ], not "//"
//	name    = 1*tchar
//	value   = *( %x20-7E / HTAB )
//
// with one Host of letters, digits and ".-:[]", without Expect, Trailer, Transfer-Encoding and Content-Length, and
// bounded by maxHead. Within that grammar nothing is left to judgement: net/http reads the
// same fields, which a fuzz target verifies.

// maxHead is the maximum length of a request's head that a loop reads.
const maxHead = 16 << 10

const requestLine = "GET /"

// opened is a request's head, read by a loop.
type opened struct {
	length int    // of the head, up to the first byte after it
	path   string // of the target
	fields handshake.Fields

	// The arrays of the fields' slices.
	lines [7][2]string
}

// verdict says what to do about the bytes of a request.
type verdict uint8

const (
	incomplete verdict = iota // more must arrive
	doubtful                  // net/http must judge them
	complete
)

// parse reads the head of a request at the beginning of p. The path and the fields are parts of p.
func (o *opened) parse(p []byte) verdict {
	if n := min(len(p), len(requestLine)); string(p[:n]) != requestLine[:n] {
		return doubtful
	}
	rest := p[:min(len(p), maxHead)]
	line, rest, v := nextLine(rest)
	*o = opened{}
	if v == complete && !o.target(line) {
		v = doubtful
	}
	for v == complete {
		if line, rest, v = nextLine(rest); v != complete {
			break
		}
		if len(line) == 0 {
			o.length = min(len(p), maxHead) - len(rest)
			if o.fields.Host == "" {
				return doubtful
			}
			return complete
		}
		o.fields.Lines++
		if !o.field(line) {
			return doubtful
		}
	}
	if v == incomplete && len(p) >= maxHead {
		return doubtful
	}
	return v
}

// nextLine cuts off a line that ends with CR LF.
func nextLine(p []byte) (line, rest []byte, v verdict) {
	i := bytes.IndexByte(p, '\n')
	switch {
	case i < 0:
		return nil, nil, incomplete
	case i == 0 || p[i-1] != '\r':
		return nil, nil, doubtful
	}
	return p[:i-1], p[i+1:], complete
}

// target reads a request line that begins with requestLine.
func (o *opened) target(line []byte) bool {
	const end = " HTTP/1.1"
	i := len(line) - len(end)
	if i < len(requestLine) || string(line[i:]) != end {
		return false
	}
	path, query, _ := bytes.Cut(line[len(requestLine)-1:i], []byte("?"))
	if len(path) > 1 && path[1] == '/' {
		return false
	}
	for _, c := range path {
		if class[c]&inPath == 0 {
			return false
		}
	}
	for _, c := range query {
		if c <= ' ' || c >= 0x7F || c == '#' {
			return false
		}
	}
	o.path = unsafe.String(unsafe.SliceData(path), len(path))
	return true
}

// field reads one field. ok is false if net/http must judge it.
func (o *opened) field(line []byte) (ok bool) {
	i := 0
	for i < len(line) && class[line[i]]&inToken != 0 {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		return false
	}
	name, value := line[:i], line[i+1:]
	for _, c := range value {
		if (c < ' ' && c != '\t') || c >= 0x7F {
			return false
		}
	}
	value = bytes.Trim(value, " \t")
	f, text := &o.fields, unsafe.String(unsafe.SliceData(value), len(value))
	switch len(name) {
	case len("Host"):
		if is(name, "host") {
			if f.Host != "" || !validHost(value) {
				return false
			}
			f.Host = text
		}
		return true
	case len("Origin"):
		switch {
		case is(name, "origin"):
			return o.add(0, &f.Origin, text)
		case is(name, "expect"):
			return false
		}
	case len("Upgrade"):
		switch {
		case is(name, "upgrade"):
			return o.add(1, &f.Upgrade, text)
		case is(name, "trailer"):
			return false
		}
	case len("Connection"):
		if is(name, "connection") {
			return o.add(2, &f.Connection, text)
		}
	case len("Sec-WebSocket-Key"):
		switch {
		case is(name, "sec-websocket-key"):
			return o.add(3, &f.Key, text)
		case is(name, "transfer-encoding"):
			return false
		}
	case len("Sec-WebSocket-Version"):
		if is(name, "sec-websocket-version") {
			return o.add(4, &f.Version, text)
		}
	case len("Sec-WebSocket-Protocol"):
		if is(name, "sec-websocket-protocol") {
			return o.add(5, &f.Protocols, text)
		}
	case len("Sec-WebSocket-Extensions"):
		if is(name, "sec-websocket-extensions") {
			return o.add(6, &f.Extensions, text)
		}
	case len("Content-Length"):
		if is(name, "content-length") {
			return false
		}
	}
	return true
}

// add notes another line of a field. ok is false if it has too many.
func (o *opened) add(which int, lines *[]string, text string) (ok bool) {
	n := len(*lines)
	if n == len(o.lines[which]) {
		return false
	}
	o.lines[which][n] = text
	*lines = o.lines[which][:n+1]
	return true
}

// is reports whether a field has the name, given in lower case.
func is(name []byte, lower string) bool {
	for i := range len(lower) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func validHost(value []byte) bool {
	for _, c := range value {
		if class[c]&inHost == 0 {
			return false
		}
	}
	return len(value) > 0
}

// What a byte may be a part of.
const (
	inToken = 1 << iota
	inPath
	inHost
)

// class holds that for each byte.
var class = func() (t [256]uint8) {
	for c := range t {
		switch {
		case '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '.':
			t[c] = inToken | inPath | inHost
		case c == '_' || c == '~':
			t[c] = inToken | inPath
		}
	}
	for _, c := range "!#$%&'*+^`|" {
		t[c] |= inToken
	}
	for _, c := range ":[]" {
		t[c] |= inHost
	}
	t['/'] |= inPath
	return t
}()
