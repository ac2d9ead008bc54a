package wire

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
)

// MaxHead is the largest opening handshake that is read, in bytes.
const MaxHead = 64 << 10

// Head is an HTTP/1.1 message without its body.
type Head struct {
	Start  string
	Fields []Field // in the order in which they arrived
	Raw    []byte
}

// Field is one header field.
type Field struct{ Name, Value string }

// SplitHead splits a head off the beginning of b. n is 0 if b does not contain its end
// yet.
func SplitHead(b []byte) (h *Head, n int, err error) {
	i := bytes.Index(b, []byte("\r\n\r\n"))
	if i < 0 {
		if len(b) > MaxHead {
			return nil, 0, fmt.Errorf("no end of the HTTP header in %d bytes", len(b))
		}
		return nil, 0, nil
	}
	n = i + 4
	lines := strings.Split(string(b[:i]), "\r\n")
	h = &Head{Start: lines[0], Raw: bytes.Clone(b[:n])}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, 0, fmt.Errorf("malformed header line %q", line)
		}
		h.Fields = append(h.Fields, Field{name, strings.Trim(value, " \t")})
	}
	return h, n, nil
}

// Values are the values of the fields called name, in order.
func (h *Head) Values(name string) (values []string) {
	for _, f := range h.Fields {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// Get is the first value of the field called name, or "".
func (h *Head) Get(name string) string {
	for _, f := range h.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// HasToken reports whether a comma-separated list field contains token, without
// regard to case (RFC 9110 §5.6.1).
func (h *Head) HasToken(name, token string) bool {
	for _, v := range h.Values(name) {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(t, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// Accept is the Sec-WebSocket-Accept that belongs to key (RFC 6455 §4.2.2).
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Param is one parameter of an extension.
type Param struct {
	Name, Value string
	HasValue    bool
}

// Extension is one element of Sec-WebSocket-Extensions (RFC 6455 §9.1).
type Extension struct {
	Name   string
	Params []Param
}

// ParseExtensions reads a Sec-WebSocket-Extensions value. It accepts exactly the grammar
// of RFC 6455 §9.1.
func ParseExtensions(value string) ([]Extension, error) {
	p := &listParser{rest: value}
	var list []Extension
	for {
		e := Extension{}
		if e.Name = p.token(); e.Name == "" {
			return nil, fmt.Errorf("an extension without a name in %q", value)
		}
		for p.take(';') {
			q := Param{Name: p.token()}
			if q.Name == "" {
				return nil, fmt.Errorf("extension %s has a parameter without a name", e.Name)
			}
			if q.HasValue = p.take('='); q.HasValue {
				if q.Value = p.value(); q.Value == "" {
					return nil, fmt.Errorf("the parameter %s has no value that is a token", q.Name)
				}
			}
			e.Params = append(e.Params, q)
		}
		list = append(list, e)
		if p.space(); p.rest == "" {
			return list, nil
		}
		if !p.take(',') {
			return nil, fmt.Errorf("%q behind extension %s", p.rest, e.Name)
		}
	}
}

// listParser reads a header field's value from its beginning.
type listParser struct{ rest string }

func (p *listParser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

func (p *listParser) take(c byte) bool {
	if p.space(); p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// token reads a token (RFC 9110 §5.6.2); "" if there is none.
func (p *listParser) token() string {
	p.space()
	n := 0
	for n < len(p.rest) && isTokenByte(p.rest[n]) {
		n++
	}
	t := p.rest[:n]
	p.rest = p.rest[n:]
	return t
}

// value reads a token, quoted or not. RFC 6455 §9.1: "When using the quoted-string syntax
// variant, the value after quoted-string unescaping MUST conform to the 'token' ABNF."
func (p *listParser) value() string {
	if !p.take('"') {
		return p.token()
	}
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(p.rest):
			i++
			c = p.rest[i]
			fallthrough
		default:
			if !isTokenByte(c) {
				return ""
			}
			b.WriteByte(c)
		}
	}
	return ""
}

func isTokenByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
