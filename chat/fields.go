package chat

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// field is a member of a message that the protocol defines.
type field byte

const (
	fieldType field = iota
	fieldTimestamp
	fieldSender
	fieldReceiver
	fieldTo
	fieldContent
	fieldMetadata
	fieldRef
	fieldToken
	fieldFeatures
	fieldBeforeSeq
	fieldAfterSeq
	fieldSince
	fieldUntil
	fieldID
	fieldLimit
	fieldAfter
	fieldSearch
	fieldSession
	fieldKey
	fieldDevice
	fieldResume
	fieldAll
	numFields // also: no field
)

var fieldNames = [numFields]string{"type", "timestamp", "sender_id", "receiver_id", "to", "content", "metadata", "ref",
	"token", "features", "before_seq", "after_seq", "since", "until", "id", "limit", "after", "search",
	"session_id", "resume_key", "device", "resume", "all"}

func (f field) String() string { return fieldNames[f] }

// fields holds a message's values as written. The methods that read values keep the first
// failure, and can be called after it.
type fields struct {
	limits *Limits
	raw    [numFields][]byte // nil: absent or null
	fail   *Failure
}

func (f *fields) refuse(fail *Failure) {
	if f.fail == nil {
		f.fail = fail
	}
}

// take records one member of the message. Unknown members are ignored.
func (f *fields) take(name, value []byte) *Failure {
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(nameOf(name))
	}
	for i, known := range fieldNames {
		if string(name) == known {
			if f.raw[i] != nil {
				f.refuse(&Failure{Code: 400, Reason: "duplicate_field", Message: known + " occurs twice", Field: known})
			}
			f.raw[i] = value
			return nil
		}
	}
	return nil
}

// dropNulls makes fields that are null absent.
func (f *fields) dropNulls() {
	for i, value := range f.raw {
		if value != nil && kindOf(value) == kindNull {
			f.raw[i] = nil
		}
	}
}

// has reports whether a field is present. If it is of another kind, that is a failure.
func (f *fields) has(name field, want kind) bool {
	value := f.raw[name]
	if value == nil {
		return false
	}
	if got := kindOf(value); got != want {
		f.wrongKind(name, fmt.Sprintf("is %s, not %s", got, want))
		return false
	}
	return true
}

func (f *fields) wrongKind(name field, what string) {
	f.refuse(&Failure{Code: 400, Reason: "wrong_kind", Message: name.String() + " " + what, Field: name.String()})
}

func (f *fields) missing(name field) {
	f.refuse(&Failure{Code: 400, Reason: "missing_field", Message: name.String() + " is missing", Field: name.String()})
}

// boolean reads true or false; false if absent.
func (f *fields) boolean(name field) bool {
	return f.has(name, kindBool) && f.raw[name][0] == 't'
}

// operation reads the type.
func (f *fields) operation() *definition {
	if f.raw[fieldType] == nil {
		f.missing(fieldType)
		return nil
	}
	name := f.str(fieldType)
	for _, k := range definitions {
		if name == k.name {
			return k
		}
	}
	// %.32q: the first 32 code points are enough to find the mistake.
	f.refuse(&Failure{Code: 400, Reason: "unknown_type", Message: fmt.Sprintf("type %.32q is not known", name), Field: "type"})
	return nil
}

func (f *fields) str(name field) string {
	if !f.has(name, kindString) {
		return ""
	}
	return unquote(f.raw[name])
}

func (f *fields) ref() string {
	ref := f.str(fieldRef)
	if len(ref) > MaxRef {
		f.refuse(&Failure{Code: 400, Reason: "ref_too_long", Field: "ref",
			Message: fmt.Sprintf("ref has %d bytes; %d are allowed", len(ref), MaxRef)})
		return ""
	}
	return ref
}

// number reads a number as written.
func (f *fields) number(name field) string {
	if !f.has(name, kindNumber) {
		return ""
	}
	if n := len(f.raw[name]); n > maxTimestamp {
		f.wrongKind(name, fmt.Sprintf("has %d characters; %d are allowed", n, maxTimestamp))
		return ""
	}
	return string(f.raw[name])
}

// object reads an object as written, of at most limit bytes; 0 means no limit.
func (f *fields) object(name field, most int) []byte {
	if !f.has(name, kindObject) {
		return nil
	}
	if n := len(f.raw[name]); most > 0 && n > most {
		f.refuse(&Failure{Code: 400, Reason: name.String() + "_too_long", Field: name.String(), Limit: MetadataLimit,
			Message: fmt.Sprintf("%s has %d bytes; %d are allowed", name, n, most)})
		return nil
	}
	return bytes.Clone(f.raw[name])
}

// integer reads a whole number from 0 on that a double holds exactly; nil if absent.
func (f *fields) integer(name field) *int64 {
	if !f.has(name, kindNumber) {
		return nil
	}
	n, err := strconv.ParseInt(string(f.raw[name]), 10, 64)
	if err != nil || n < 0 || n > 1<<53 {
		f.wrongKind(name, "is not a whole number from 0 to 2^53")
		return nil
	}
	return &n
}

// limit reads a number that is at least 1; 0 if absent.
func (f *fields) limit(name field) int {
	n := f.integer(name)
	if n == nil {
		return 0
	}
	if *n == 0 {
		f.wrongKind(name, "is 0; the minimum is 1")
	}
	return int(min(*n, math.MaxInt32))
}

// features reads a list of strings. Unknown ones are ignored.
func (f *fields) features(name field) (set feature) {
	if !f.has(name, kindArray) {
		return 0
	}
	s := scanner{text: f.raw[name], pos: 1}
	for {
		s.space()
		switch s.text[s.pos] {
		case ']':
			return set
		case ',':
			s.pos++
			continue
		}
		item, fail := s.value(1)
		if fail != nil {
			f.refuse(fail)
			return 0
		}
		if kindOf(item) != kindString {
			f.wrongKind(name, fmt.Sprintf("contains %s, not only strings", kindOf(item)))
			return 0
		}
		for _, known := range featureNames {
			if unquote(item) == known.name {
				set |= known.bit
			}
		}
	}
}
