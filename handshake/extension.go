package handshake

import (
	"fmt"
	"strings"
)

// Sec-WebSocket-Extensions (RFC 6455 §9.1):
//
//	extension-list   = 1#extension
//	extension        = extension-token *( ";" extension-param )
//	extension-token  = registered-token
//	registered-token = token
//	extension-param  = token [ "=" (token | quoted-string) ]
//
// and quoted strings by RFC 7230 §3.2.6:
//
//	quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
//	quoted-pair   = "\" ( HTAB / SP / VCHAR / obs-text )
//
// 9.1 counts on the "implied *LWS rule" of RFC 2616: white space may stand
// between any two of these, so also around ";" and "=".

const (
	// maxExtensions and maxExtensionParams bound the elements of one header,
	// and their parameters taken together. There is one extension in use, with
	// four parameters.
	maxExtensions      = 16
	maxExtensionParams = 64
)

// extension is one element of the list.
type extension struct {
	name   string
	params []extensionParam // in their order; names may repeat
}

// extensionParam is one parameter. No value can be empty, so "" means that the
// parameter stands without one.
type extensionParam struct {
	name, value string
}

// parseExtensions reads the lines of one Sec-WebSocket-Extensions header in
// time linear in their length; no line at all is no extension, and neither is an
// empty list. It knows none: choose and verify judge names and parameters.
func parseExtensions(lines []string) (list []extension, err error) {
	params := 0
	for _, line := range lines {
		c := cursor{line: line}
		for !c.done() {
			if c.accept(',') {
				continue // RFC 7230 §7: empty elements are ignored
			}
			if len(list) == maxExtensions {
				return nil, fmt.Errorf("more than %d extensions", maxExtensions)
			}
			ext, err := c.extension(maxExtensionParams - params)
			if err != nil {
				return nil, err
			}
			list = append(list, ext)
			params += len(ext.params)
		}
	}
	return list, nil
}

// extension reads one element, with room for so many parameters, and the comma
// behind it.
func (c *cursor) extension(room int) (ext extension, err error) {
	if ext.name, err = c.token(); err != nil {
		return ext, err
	}
	for c.accept(';') {
		if len(ext.params) == room {
			return ext, fmt.Errorf("more than %d extension parameters", maxExtensionParams)
		}
		var p extensionParam
		if p.name, err = c.token(); err != nil {
			return ext, err
		}
		if c.accept('=') {
			if c.accept('"') {
				p.value, err = c.quotedToken()
			} else {
				p.value, err = c.token()
			}
			if err != nil {
				return ext, err
			}
		}
		ext.params = append(ext.params, p)
	}
	return ext, c.endElement()
}

// quotedToken reads a quoted string behind its opening quote.
func (c *cursor) quotedToken() (string, error) {
	// No token has a quote in it, so the next one is the end.
	var value strings.Builder
	value.Grow(max(0, strings.IndexByte(c.line[c.pos:], '"')))
	for ; c.pos < len(c.line); c.pos++ {
		b := c.line[c.pos]
		if b == '"' && value.Len() > 0 {
			c.pos++
			return value.String(), nil
		}
		if b == '\\' && c.pos+1 < len(c.line) {
			c.pos++
			b = c.line[c.pos]
		}
		// 9.1: "the value after quoted-string unescaping MUST conform to the
		// 'token' ABNF."
		if !isTchar(b) {
			return "", c.errorf("want a token in quotes")
		}
		value.WriteByte(b)
	}
	return "", c.errorf("want a closing quote")
}
