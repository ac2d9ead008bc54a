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
// 9.1 relies on the "implied *LWS rule" of RFC 2616: white space is allowed between any
// two of these, including around ";" and "=".

const (
	// maxExtensions and maxExtensionParams limit the elements of one header, and the
	// total of their parameters. Only one extension is in use, with four parameters.
	maxExtensions      = 16
	maxExtensionParams = 64
)

// extension is one element of the list.
type extension struct {
	name   string
	params []extensionParam // in the order of the header; names may repeat
}

// extensionParam is one parameter. A value cannot be empty, so "" means that there is
// none.
type extensionParam struct {
	name, value string
}

// parseExtensions parses the lines of a Sec-WebSocket-Extensions header, in time linear
// in their length. No lines, or an empty list, are no extensions. It checks the grammar
// only: choose and verify check the names and parameters.
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

// extension reads one element, of at most room parameters, and the comma after it.
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

// quotedToken reads the rest of a quoted string, after its opening quote.
func (c *cursor) quotedToken() (string, error) {
	// A token cannot contain a quote, so the next one ends the string.
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
