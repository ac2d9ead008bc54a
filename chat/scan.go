package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxDepth is how deeply objects and arrays may be nested in a message, itself included.
const maxDepth = 32

// scanObject checks that text is one JSON object (RFC 8259) that any receiver can parse, and
// calls member for each of its members, in order, with name and value as written. name and
// value are slices of text.
//
// encoding/json checks the syntax. But it ignores case in names, repairs half surrogate
// pairs, and cannot return a value as written without copying it. So the members are split
// here. The grammar, once the syntax is known to be valid:
//
//	object = ws "{" ws [ member *( "," member ) ] "}" ws
//	member = ws string ws ":" ws value ws
func scanObject(text []byte, member func(name, value []byte) *Failure) *Failure {
	if !json.Valid(text) {
		return notJSON(syntaxError(text))
	}
	return scanMembers(text, member)
}

// scanMembers is scanObject for text whose syntax is known to be valid, as that of a value is
// in text that scanObject has checked.
func scanMembers(text []byte, member func(name, value []byte) *Failure) *Failure {
	s := scanner{text: text}
	s.space()
	if text[s.pos] != '{' {
		return &Failure{Code: 400, Reason: "not_object", Message: "the message is " + kindOf(text[s.pos:]).String() + ", not an object"}
	}
	s.pos++
	for {
		s.space()
		switch text[s.pos] {
		case '}':
			return nil
		case ',':
			s.pos++
			s.space()
		}
		name, fail := s.value(1)
		if fail != nil {
			return fail
		}
		s.space()
		s.pos++ // the colon
		s.space()
		value, fail := s.value(1)
		if fail != nil {
			return fail
		}
		if fail := member(name[1:len(name)-1], value); fail != nil {
			return fail
		}
	}
}

// scanner walks over text whose syntax is known to be valid.
type scanner struct {
	text []byte
	pos  int
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// value steps over the value at pos, which is nested in depth others.
func (s *scanner) value(depth int) ([]byte, *Failure) {
	start, outer := s.pos, depth
	for {
		switch c := s.text[s.pos]; c {
		case '"':
			if fail := s.str(); fail != nil {
				return nil, fail
			}
		case '{', '[':
			depth++
			if depth > maxDepth {
				return nil, notJSON(fmt.Errorf("nested deeper than %d at byte %d", maxDepth, s.pos))
			}
			s.pos++
		case '}', ']':
			depth--
			s.pos++
		case ',', ':', ' ', '\t', '\r', '\n':
			s.pos++
			continue
		default:
			if fail := s.scalar(); fail != nil {
				return nil, fail
			}
		}
		if depth == outer {
			return s.text[start:s.pos], nil
		}
	}
}

// scalar steps over a number, true, false or null.
func (s *scanner) scalar() *Failure {
	start := s.pos
	for s.pos < len(s.text) && strings.IndexByte(",]} \t\r\n", s.text[s.pos]) < 0 {
		s.pos++
	}
	literal := s.text[start:s.pos]
	// Only a number with an exponent or very many digits can exceed a double.
	if kindOf(literal) == kindNumber && (len(literal) > 300 || bytes.ContainsAny(literal, "eE")) {
		if _, err := strconv.ParseFloat(string(literal), 64); err != nil {
			return notJSON(fmt.Errorf("the number at byte %d does not fit a double", start))
		}
	}
	return nil
}

// str steps over a string. RFC 8259 allows escapes that are half a surrogate pair (7), but
// warns of them (8.2): strict parsers refuse the whole text.
func (s *scanner) str() *Failure {
	s.pos++
	rest := s.text[s.pos:]
	if end := bytes.IndexByte(rest, '"'); bytes.IndexByte(rest[:end], '\\') < 0 {
		s.pos += end + 1
		return nil
	}
	for s.text[s.pos] != '"' {
		if s.text[s.pos] != '\\' {
			s.pos++
			continue
		}
		at := s.pos
		switch u := escapedUnit(s.text[at:]); {
		case u < 0xD800 || u > 0xDFFF:
			s.pos += 2 // the four digits after a \u are ordinary characters to this loop
		case u < 0xDC00 && isLowSurrogate(escapedUnit(s.text[at+6:])):
			s.pos += 12
		default:
			return notJSON(fmt.Errorf("half a surrogate pair at byte %d", at))
		}
	}
	s.pos++
	return nil
}

// escapedUnit returns the UTF-16 unit of an escape at the start of b, which is \u and four
// hexadecimal digits, or -1 if there is none.
func escapedUnit(b []byte) int {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	u, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(u)
}

func isLowSurrogate(u int) bool { return u >= 0xDC00 && u <= 0xDFFF }

// unquote returns the value of a JSON string, which is given with its quotes.
func unquote(value []byte) string {
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		panic("chat: internal error: a checked string does not parse: " + err.Error())
	}
	return s
}

// nameOf returns a member's name, which is given without its quotes.
func nameOf(name []byte) string {
	if bytes.IndexByte(name, '\\') < 0 {
		return string(name)
	}
	return unquote([]byte(`"` + string(name) + `"`))
}

// kind is the JSON kind of a value.
type kind byte

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// kindOf returns a value's kind, by its first byte.
func kindOf(value []byte) kind {
	switch value[0] {
	case 'n':
		return kindNull
	case 't', 'f':
		return kindBool
	case '"':
		return kindString
	case '[':
		return kindArray
	case '{':
		return kindObject
	}
	return kindNumber
}

// syntaxError returns what is wrong with text, which is not valid JSON.
func syntaxError(text []byte) error {
	var value json.RawMessage
	err := json.Unmarshal(text, &value)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w at byte %d", err, syntax.Offset)
	}
	return err
}

func notJSON(err error) *Failure {
	return &Failure{Code: 400, Reason: "not_json", Message: "not JSON: " + err.Error()}
}
