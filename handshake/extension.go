package handshake

import "errors"

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
// time linear in their length. It knows no extension: what a name means, and
// whether its parameters make sense, is for who negotiates it.
func parseExtensions(lines []string) ([]extension, error) {
	var list []extension
	for _, line := range lines {
		c := cursor{line: line}
		for !c.done() {
			if c.accept(',') {
				continue // RFC 7230 §7: empty elements are ignored
			}
			ext, err := c.extension()
			if err != nil {
				return nil, err
			}
			list = append(list, ext)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("the list is empty")
	}
	return list, nil
}

// extension reads one element and the comma behind it.
func (c *cursor) extension() (ext extension, err error) {
	if ext.name, err = c.token(); err != nil {
		return ext, err
	}
	for c.accept(';') {
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
	var value []byte
	for ; c.pos < len(c.line); c.pos++ {
		b := c.line[c.pos]
		if b == '"' && len(value) > 0 {
			c.pos++
			return string(value), nil
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
		value = append(value, b)
	}
	return "", c.errorf("want a closing quote")
}
