package wire

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
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

// SplitHead takes a head from the beginning of b. n is 0 where its end is not in
// b yet.
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

// ParseExtensions reads a Sec-WebSocket-Extensions value.
func ParseExtensions(value string) ([]Extension, error) {
	var list []Extension
	for element := range strings.SplitSeq(value, ",") {
		parts := strings.Split(element, ";")
		e := Extension{Name: strings.TrimSpace(parts[0])}
		if e.Name == "" {
			return nil, errors.New("an extension without a name")
		}
		for _, part := range parts[1:] {
			name, v, has := strings.Cut(part, "=")
			p := Param{Name: strings.TrimSpace(name), Value: strings.TrimSpace(v), HasValue: has}
			if len(p.Value) > 1 && p.Value[0] == '"' && p.Value[len(p.Value)-1] == '"' {
				p.Value = p.Value[1 : len(p.Value)-1]
			}
			if p.Name == "" {
				return nil, fmt.Errorf("extension %s has a parameter without a name", e.Name)
			}
			e.Params = append(e.Params, p)
		}
		list = append(list, e)
	}
	return list, nil
}
