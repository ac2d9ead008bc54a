package chat_test

import (
	"cmp"
	"encoding/json"
	"github.com/hawser-ws/hawser/chat/memory"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/chat"
)

// newMemory is an engine that forgets when the test ends, with the users of every house.
func newMemory(t testing.TB, c chat.Clock) chat.Engine {
	t.Helper()
	parts := memory.New(c, slog.New(slog.DiscardHandler)).Parts()
	for id, name := range users {
		if err := parts.Directory.PutUser(ctx, chat.User{ID: id, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	return parts
}

// plainRequest is a message as encoding/json reads it, and everything that
// PROTOCOL.md finds wrong with it, as "reason field". The conversation that it is
// said in has ada, who says it, bob and eve, and the room lobby.
type plainRequest struct {
	text   string
	raw    map[string]json.RawMessage // without nulls
	twice  bool
	id     string // of the one message in the lobby
	faults []string
}

func (p *plainRequest) wrong(is bool, reason, field string) bool {
	if is {
		p.faults = append(p.faults, reason+" "+field)
	}
	return is
}

var escape = regexp.MustCompile(`\\(?:u([0-9a-fA-F]{4})|.)`)

// halfPair reports whether text has an escape that is half a surrogate pair.
func halfPair(text string) bool {
	end, high := -1, false // of the escape before
	for _, m := range escape.FindAllStringSubmatchIndex(text, -1) {
		unit := uint64(0)
		if m[2] >= 0 {
			unit, _ = strconv.ParseUint(text[m[2]:m[3]], 16, 16)
		}
		low := unit>>10 == 0xDC00>>10
		if completes := high && low && end == m[0]; high != completes || low != completes {
			return true
		}
		high, end = unit>>10 == 0xD800>>10, m[1]
	}
	return high
}

// read takes the message apart. It returns false if it is no object to judge further.
func (p *plainRequest) read() bool {
	if p.wrong(!json.Valid([]byte(p.text)), "not_json", "") {
		return false
	}
	d := json.NewDecoder(strings.NewReader(p.text))
	d.UseNumber()
	depth, deepest := 0, 0
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		switch v := token.(type) {
		case json.Delim:
			if depth--; v == '{' || v == '[' {
				depth += 2
			}
			deepest = max(deepest, depth)
		case json.Number:
			_, err := strconv.ParseFloat(v.String(), 64)
			p.wrong(err != nil, "not_json", "")
		}
	}
	p.wrong(deepest > 32 || halfPair(p.text), "not_json", "")
	if p.wrong(strings.TrimLeft(p.text, " \t\r\n")[0] != '{', "not_object", "") || len(p.faults) > 0 {
		return false
	}
	d = json.NewDecoder(strings.NewReader(p.text))
	d.Token()
	p.raw = make(map[string]json.RawMessage)
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		d.Decode(&value)
		if _, again := p.raw[name.(string)]; again && kinds[name.(string)] != 0 {
			p.twice = p.wrong(true, "duplicate_field", name.(string))
		}
		p.raw[name.(string)] = value
	}
	maps.DeleteFunc(p.raw, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	return true
}

// kinds are the fields that the protocol knows, and the first byte of their values.
var kinds = map[string]byte{
	"type": '"', "timestamp": '0', "sender_id": '"', "receiver_id": '"', "to": '"', "content": '"', "metadata": '{', "ref": '"',
	"token": '"', "features": '[', "before_seq": '0', "after_seq": '0', "since": '0', "until": '0', "id": '"', "limit": '0', "after": '"', "search": '"',
}

// furtherFields are what a type has beside the flat ones.
var furtherFields = map[string][]string{
	"auth": {"token", "features"}, "heartbeat": nil, "message": nil, "group": nil, "join": nil, "leave": nil, "presence": nil,
	"history": {"before_seq", "after_seq", "since", "until", "id", "limit"}, "rooms": {"after", "limit", "search"}, "peers": {"after", "limit"},
}

func (p *plainRequest) str(name string) (s string) {
	json.Unmarshal(p.raw[name], &s)
	return s
}

func (p *plainRequest) receiver() string { return cmp.Or(p.str("receiver_id"), p.str("to")) }

var (
	wholeNumber = regexp.MustCompile(`^(?:-0|[0-9]{1,16})$`)
	roomName    = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
)

// judge finds the faults.
func (p *plainRequest) judge() {
	if !p.read() {
		return
	}
	kind := p.str("type")
	further, known := furtherFields[kind]
	p.wrong(p.raw["type"] == nil, "missing_field", "type")
	p.wrong(!known && p.raw["type"] != nil, "unknown_type", "type")
	for _, name := range append([]string{"type", "timestamp", "sender_id", "receiver_id", "to", "content", "metadata", "ref"}, further...) {
		value := p.raw[name]
		if value == nil {
			continue
		}
		number := value[0] == '-' || value[0] >= '0' && value[0] <= '9'
		p.wrong(value[0] != kinds[name] && (kinds[name] != '0' || !number), "wrong_kind", name)
		if whole, err := strconv.ParseInt(string(value), 10, 64); kinds[name] == '0' && name != "timestamp" {
			p.wrong(!wholeNumber.Match(value) || err != nil || whole > 1<<53 || whole == 0 && name == "limit", "wrong_kind", name)
		}
	}
	var features []any
	json.Unmarshal(p.raw["features"], &features)
	for _, f := range features {
		_, ok := f.(string)
		p.wrong(!ok, "wrong_kind", "features")
	}
	p.wrong(len(p.raw["timestamp"]) > 32, "wrong_kind", "timestamp")
	p.wrong(len(p.raw["metadata"]) > 4096, "metadata_too_long", "metadata")
	p.wrong(len(p.str("ref")) > 64, "ref_too_long", "ref")
	p.wrong(p.str("to") != "" && p.str("receiver_id") != "" && p.str("to") != p.str("receiver_id"), "duplicate_field", "to")
	p.wrong(kind == "auth", "already_authenticated", "type")
	p.wrong(kind == "auth" && len(p.str("token")) > 4096, "token_refused", "token")
	p.wrong(kind == "auth" && p.raw["token"] == nil, "missing_field", "token")
	p.wrong(kind != "auth" && kind != "heartbeat" && p.str("sender_id") != "" && p.str("sender_id") != "u_ada", "sender_mismatch", "sender_id")
	p.judgeReceiver(kind)
}

func (p *plainRequest) judgeReceiver(kind string) {
	to := p.receiver()
	isRoom := roomName.MatchString(to) && !strings.HasPrefix(to, "u_")
	switch kind {
	case "message", "group":
		p.wrong(p.raw["content"] == nil, "missing_field", "content")
		p.wrong(utf8.RuneCountInString(p.str("content")) > 500, "content_too_long", "content")
	case "join", "leave", "history", "presence":
	default:
		return
	}
	p.wrong(to == "", "missing_field", "receiver_id")
	switch kind {
	case "message":
		p.wrong(users[to] == "", "unknown_user", "receiver_id")
	case "group", "join", "leave":
		p.wrong(!isRoom, "bad_room", "receiver_id")
		p.wrong(kind == "leave" && to != "lobby", "unknown_room", "receiver_id")
	default:
		user := strings.HasPrefix(to, "u_")
		p.wrong(!user && !isRoom, "bad_room", "receiver_id")
		p.wrong(user && users[to] == "", "unknown_user", "receiver_id")
		p.wrong(!user && to != "lobby", "unknown_room", "receiver_id")
	}
	if kind == "history" {
		bySeq := p.raw["before_seq"] != nil || p.raw["after_seq"] != nil
		byTime := p.raw["since"] != nil || p.raw["until"] != nil
		p.wrong(bySeq && byTime, "bad_range", "since")
		p.wrong(p.str("id") != "" && (bySeq || byTime), "bad_range", "id")
		p.wrong(p.str("id") != "" && (p.str("id") != p.id || to != "lobby"), "unknown_id", "id")
	}
}

// Whatever text a client sends, it is answered as PROTOCOL.md has it, by messages
// that are JSON and not much longer; what is accepted reaches the others and the
// history as it was said, metadata and timestamp to the byte.
func FuzzMessage(f *testing.F) {
	for _, text := range []string{
		`{"type":"group","receiver_id":"lobby","content":"Hello!","metadata":{"mood":  "sunny"},"timestamp":1e3,"ref":"r"}`,
		`{"type":"message","to":"u_bob","content":"\ud83d\ude00\u0000\u007f\"\\","sender_id":"u_ada"}`, `{"type":"message","to":"u_bob","receiver_id":"u_eve","content":""}`,
		`{"type":"group","receiver_id":"cellar","content":"new"}`, `{"type":"join","receiver_id":"attic","ref":"j"}`, `{"type":"leave","receiver_id":"lobby"}`,
		`{"type":"history","receiver_id":"lobby","before_seq":2,"limit":1,"ref":"h"}`, `{"type":"history","receiver_id":"u_bob","since":0,"id":"x"}`,
		`{"type":"history","receiver_id":"lobby","id":"r:lobby-1"}`, `{"type":"history","receiver_id":"lobby","id":"r:lobby-1","after_seq":0}`, `{"type":"presence","receiver_id":"u_bob"}`, `{"type":"rooms","limit":-0}`, `{"type":"peers","after":"u_a"}`,
		`{"type":"heartbeat","timestamp":-1.5,"ref":"b"}`, `{"type":"auth","token":"x","features":["ack",1]}`, `{"type":"system"}`, `{"type":null}`, `[]`, ` null `, `nonsense`,
		`{"type":"group","type":"join","receiver_id":"a b"}`, `{"\u0074ype":"peers","x":"\ud800"}`, `{"type":"peers","x":1e999}`, `{"type":"peers","x":"\udc00\udc00"}`, `{"type":"peers","limit":9007199254740993}`,
		`{"type":"peers","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, `{"type":"message","to":"u_bob","content":"` + strings.Repeat("µ", 501) + `"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // package wsproto lets none through
		}
		c := newClock()
		h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = newMemory(t, c) })
		ada, bob := h.enter("ada", `"ack"`), h.enter("bob", "")
		bob.say(`{"type":"group","receiver_id":"lobby","content":"first"}`)
		var first struct{ ID string }
		json.Unmarshal([]byte(bob.hear()), &first)
		text = strings.ReplaceAll(text, "r:lobby-1", first.ID) // what is random stands in no corpus
		request := &plainRequest{text: text, id: first.ID}
		request.judge()
		ada.say(text)
		answers, others := untilProbed(t, ada, len(text)), untilProbed(t, bob, len(text))
		if len(request.faults) > 0 {
			request.checkRefused(t, answers, others)
			return
		}
		request.checkAccepted(t, answers, others)
		if kind := request.str("type"); kind == "message" || kind == "group" {
			ada.say(`{"type":"history","limit":1,"receiver_id":` + strconv.Quote(request.receiver()) + `}`)
			shown := answers[1][:strings.LastIndex(answers[1], `,"position":`)] + "}"
			if page := ada.hear(); !strings.Contains(page, `"messages":[`+shown+`]`) {
				t.Errorf("%s was shown as %s, and the history says %s", text, answers[1], page)
			}
		}
	})
}

// untilProbed is what p hears until an answer to a question that comes last.
func untilProbed(t *testing.T, p *peer, said int) (heard []string) {
	t.Helper()
	const ref = "the fuzz test's last question"
	p.say(`{"type":"presence","receiver_id":"nowhere","ref":"` + ref + `"}`)
	for {
		m := p.hear()
		if !json.Valid([]byte(m)) || !utf8.ValidString(m) || len(m) > 6*said+1024 || halfPair(m) {
			t.Errorf("%d bytes were answered by %q", said, m)
		}
		if strings.HasSuffix(m, `"ref":"`+ref+`"}`) {
			return heard
		}
		heard = append(heard, m)
	}
}

// checkRefused wants one error, which is one of those that the message deserves.
func (p *plainRequest) checkRefused(t *testing.T, answers, others []string) {
	t.Helper()
	var got struct{ Type, Reason, Field, Ref string }
	if len(answers) != 1 || len(others) != 0 || json.Unmarshal([]byte(answers[0]), &got) != nil || got.Type != "error" {
		t.Fatalf("%s has faults %q, and is answered by %q; others hear %q", p.text, p.faults, answers, others)
	}
	if !slices.Contains(p.faults, got.Reason+" "+got.Field) {
		t.Errorf("%s has faults %q, and is answered by %s", p.text, p.faults, answers[0])
	}
	if ref := p.str("ref"); len(ref) <= 64 && !p.twice && got.Ref != ref {
		t.Errorf("the ref of %s comes back in %s", p.text, answers[0])
	}
}

// checkAccepted holds the answer to a message, and what bob hears of it, against what
// was said.
func (p *plainRequest) checkAccepted(t *testing.T, answers, others []string) {
	t.Helper()
	kind, to := p.str("type"), p.receiver()
	publication := kind == "message" || kind == "group"
	answer := map[string]string{"message": "ack", "group": "ack", "join": "ack", "leave": "ack"}[kind]
	var got struct{ Type, Ref string }
	if len(answers) == 0 || json.Unmarshal([]byte(answers[0]), &got) != nil || got.Type != cmp.Or(answer, kind) || got.Ref != p.str("ref") {
		t.Fatalf("%s is answered by %q", p.text, answers)
	}
	if !publication {
		if len(answers) != 1 || len(others) != 0 {
			t.Errorf("%s is answered by %q, and others hear %q", p.text, answers, others)
		}
		return
	}
	var said struct {
		Type, Content, Sender_ID, Receiver_ID string
		Timestamp, Metadata                   json.RawMessage
	}
	if len(answers) != 2 || json.Unmarshal([]byte(answers[1]), &said) != nil {
		t.Fatalf("%s is answered by %q", p.text, answers)
	}
	metadata, timestamp := cmp.Or(string(p.raw["metadata"]), "{}"), cmp.Or(string(p.raw["timestamp"]), "1754474400.000")
	if said.Type != kind || said.Content != p.str("content") || said.Sender_ID != "u_ada" || said.Receiver_ID != to ||
		string(said.Metadata) != metadata || string(said.Timestamp) != timestamp {
		t.Errorf("%s is shown as %s", p.text, answers[1])
	}
	if reaches := to == "lobby" || to == "u_bob"; reaches != slices.Equal(others, answers[1:]) || !reaches && len(others) > 0 {
		t.Errorf("%s is shown to bob as %q, and to ada as %q", p.text, others, answers[1])
	}
}
