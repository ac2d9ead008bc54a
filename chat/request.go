package chat

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// operation is what a message asks for.
type operation byte

const (
	opAuth operation = iota
	opHeartbeat
	opMessage
	opGroup
	opJoin
	opLeave
	opHistory
	opPresence
	opRooms
	opPeers
	numOperations

	opDepart // no message: the session has closed
)

// operations are named by a message's type. Each has the flat fields; read takes
// what else it may have.
var operations = [numOperations]struct {
	name     string
	required []field
	read     func(*request, *fields)
}{
	opAuth:      {"auth", []field{fieldToken}, (*request).readAuth},
	opHeartbeat: {"heartbeat", nil, nil},
	opMessage:   {"message", []field{fieldReceiver, fieldContent}, nil},
	opGroup:     {"group", []field{fieldReceiver, fieldContent}, nil},
	opJoin:      {"join", []field{fieldReceiver}, nil},
	opLeave:     {"leave", []field{fieldReceiver}, nil},
	opHistory:   {"history", []field{fieldReceiver}, (*request).readHistory},
	opPresence:  {"presence", []field{fieldReceiver}, nil},
	opRooms:     {"rooms", nil, (*request).readRooms},
	opPeers:     {"peers", nil, (*request).readList},
}

func (o operation) String() string { return operations[o].name }

// request is one message from a client, checked as far as it can be by itself. It
// holds nothing of the text it was read from.
type request struct {
	op        operation
	ref       string
	timestamp string // as written; "" if absent
	sender    string
	receiver  string // receiver_id or to
	content   string
	metadata  []byte // as written; nil if absent

	auth   *authFields  // for opAuth
	bounds *boundFields // for opHistory
	after  string       // for opRooms and opPeers
	search string       // for opRooms
	limit  int          // for opHistory, opRooms and opPeers; 0 if absent
}

type authFields struct {
	token    string
	features feature
}

// boundFields say which messages a history request is about; nil or "": not given.
type boundFields struct {
	beforeSeq, afterSeq, since, until *int64
	id                                string
}

// feature is a set of kinds of message that a client asked for.
type feature byte

const (
	featureAck feature = 1 << iota
	featurePresence
	featureSystem
)

var featureNames = []struct {
	bit  feature
	name string
}{{featureAck, "ack"}, {featurePresence, "presence"}, {featureSystem, "system"}}

// parseRequest reads a message. With a failure, req.ref is still set if it could be
// read.
func parseRequest(text []byte) (req *request, fail *Failure) {
	req = new(request)
	var f fields
	if fail := scanObject(text, f.take); fail != nil {
		return req, fail
	}
	f.dropNulls()
	req.ref = f.ref()
	req.op = f.operation()
	if f.fail != nil {
		return req, f.fail
	}
	req.readFlat(&f)
	if read := operations[req.op].read; read != nil {
		read(req, &f)
	}
	if f.fail != nil {
		return req, f.fail
	}
	for _, name := range operations[req.op].required {
		missing := f.raw[name] == nil
		if name == fieldReceiver {
			missing = req.receiver == "" // to will do
		}
		if missing {
			return req, &Failure{Code: 400, Reason: "missing_field", Message: name.String() + " is missing", Field: name.String()}
		}
	}
	return req, req.check()
}

func (r *request) readFlat(f *fields) {
	r.timestamp = f.number(fieldTimestamp)
	r.sender = f.str(fieldSender)
	r.receiver = f.str(fieldReceiver)
	r.content = f.str(fieldContent)
	r.metadata = f.object(fieldMetadata)
	switch to := f.str(fieldTo); {
	case r.receiver == "":
		r.receiver = to
	case to != "" && to != r.receiver:
		f.refuse(&Failure{Code: 400, Reason: "duplicate_field", Message: "to and receiver_id differ", Field: "to"})
	}
}

func (r *request) readAuth(f *fields) {
	r.auth = &authFields{token: f.str(fieldToken), features: f.features(fieldFeatures)}
}

func (r *request) readHistory(f *fields) {
	r.bounds = &boundFields{
		beforeSeq: f.integer(fieldBeforeSeq),
		afterSeq:  f.integer(fieldAfterSeq),
		since:     f.integer(fieldSince),
		until:     f.integer(fieldUntil),
		id:        f.str(fieldID),
	}
	r.limit = f.limit(fieldLimit)
}

func (r *request) readList(f *fields) {
	r.after = f.str(fieldAfter)
	r.limit = f.limit(fieldLimit)
}

func (r *request) readRooms(f *fields) {
	r.readList(f)
	r.search = f.str(fieldSearch)
}

// check judges what the fields say.
func (r *request) check() *Failure {
	switch r.op {
	case opAuth:
		if len(r.auth.token) > MaxToken {
			return failTokenRefused
		}
	case opMessage:
		return r.checkContent()
	case opGroup:
		if !ValidRoom(r.receiver) {
			return failBadRoom
		}
		return r.checkContent()
	case opJoin, opLeave:
		if !ValidRoom(r.receiver) {
			return failBadRoom
		}
	case opRooms:
		if len(r.search) > maxRoomName {
			return &Failure{Code: 400, Reason: "search_too_long", Field: "search",
				Message: fmt.Sprintf("search has %d bytes; %d are allowed", len(r.search), maxRoomName)}
		}
	case opHistory, opPresence:
		if !ValidRoom(r.receiver) && !strings.HasPrefix(r.receiver, userPrefix) {
			return failBadRoom
		}
		if r.bounds != nil {
			return r.bounds.check()
		}
	}
	return nil
}

func (r *request) checkContent() *Failure {
	if n := utf8.RuneCountInString(r.content); n > MaxContent {
		return &Failure{Code: 400, Reason: "content_too_long", Field: "content",
			Message: fmt.Sprintf("content has %d code points; %d are allowed", n, MaxContent)}
	}
	return nil
}

// check refuses bounds of different kinds in one request.
func (b *boundFields) check() *Failure {
	bySeq := b.beforeSeq != nil || b.afterSeq != nil
	byTime := b.since != nil || b.until != nil
	switch {
	case b.id != "" && (bySeq || byTime):
		return &Failure{Code: 400, Reason: "bad_range", Message: "id goes with no other bound", Field: "id"}
	case bySeq && byTime:
		return &Failure{Code: 400, Reason: "bad_range", Message: "bounds by seq and by time do not go together", Field: "since"}
	}
	return nil
}
