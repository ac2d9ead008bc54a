package chat

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nested is a value that nests depth deep.
func nested(depth int) string {
	return strings.Repeat(`[`, depth) + strings.Repeat(`]`, depth)
}

// group is a group message with these members beside the required ones.
func group(members string) string {
	return `{"type":"group","receiver_id":"lobby","content":"x"` + members + `}`
}

// What is refused, with reason and field.
func TestRequestRefused(t *testing.T) {
	for _, c := range []struct{ name, text, reason, field string }{
		{"empty", ``, "not_json", ""},
		{"white space", " \n", "not_json", ""},
		{"words", `hello`, "not_json", ""},
		{"cut short", `{"type":"group"`, "not_json", ""},
		{"two objects", `{"type":"rooms"}{"type":"rooms"}`, "not_json", ""},
		{"trailing comma", `{"type":"rooms",}`, "not_json", ""},
		{"single quotes", `{'type':'rooms'}`, "not_json", ""},
		{"comment", `{"type":"rooms"/**/}`, "not_json", ""},
		{"NaN", group(`,"timestamp":NaN`), "not_json", ""},
		{"leading zero", group(`,"timestamp":01`), "not_json", ""},
		{"byte order mark", "\ufeff" + `{"type":"rooms"}`, "not_json", ""},
		{"NUL", "{\"type\":\"rooms\x00\"}", "not_json", ""},
		{"raw newline in a string", "{\"type\":\"ro\noms\"}", "not_json", ""},
		{"unknown escape", `{"type":"rooms\x"}`, "not_json", ""},
		{"short escape", `{"type":"rooms\u12"}`, "not_json", ""},
		{"high surrogate alone", group(`,"metadata":{"a":"\ud83e"}`), "not_json", ""},
		{"low surrogate alone", group(`,"metadata":{"a":"\udd89"}`), "not_json", ""},
		{"surrogates swapped", group(`,"metadata":{"a":"\udd89\ud83e"}`), "not_json", ""},
		{"high surrogate, then another escape", group(`,"metadata":{"a":"\ud83e\u0041"}`), "not_json", ""},
		{"high surrogate in a name", group(`,"\ud83e":1`), "not_json", ""},
		{"high surrogate in an unknown field", group(`,"x":["\uD83E"]`), "not_json", ""},
		{"number beyond a double", group(`,"metadata":{"a":1e999}`), "not_json", ""},
		{"number beyond a double, in digits", group(`,"metadata":[` + strings.Repeat("9", 400) + `]`), "not_json", ""},
		{"too deep", group(`,"x":` + nested(32)), "not_json", ""},
		{"far too deep", group(`,"x":` + nested(9000)), "not_json", ""},
		{"deeper than encoding/json goes", group(`,"x":` + nested(20000)), "not_json", ""},

		{"array", `[]`, "not_object", ""},
		{"string", `"group"`, "not_object", ""},
		{"number", ` 1 `, "not_object", ""},
		{"null", `null`, "not_object", ""},
		{"true", `true`, "not_object", ""},

		{"no type", `{}`, "missing_field", "type"},
		{"type null", `{"type":null}`, "missing_field", "type"},
		{"type number", `{"type":1}`, "wrong_kind", "type"},
		{"type unknown", `{"type":"shout"}`, "unknown_type", "type"},
		{"type of the server", `{"type":"system","content":"x"}`, "unknown_type", "type"},
		{"type in capitals", `{"type":"GROUP"}`, "unknown_type", "type"},
		{"name in capitals", `{"TYPE":"rooms"}`, "missing_field", "type"},

		{"no content", `{"type":"group","receiver_id":"lobby"}`, "missing_field", "content"},
		{"content null", `{"type":"group","receiver_id":"lobby","content":null}`, "missing_field", "content"},
		{"no receiver", `{"type":"group","content":"x"}`, "missing_field", "receiver_id"},
		{"receiver empty", `{"type":"message","receiver_id":"","content":"x"}`, "missing_field", "receiver_id"},
		{"no token", `{"type":"auth"}`, "missing_field", "token"},
		{"join without a room", `{"type":"join"}`, "missing_field", "receiver_id"},

		{"content number", `{"type":"group","receiver_id":"lobby","content":1}`, "wrong_kind", "content"},
		{"receiver array", `{"type":"group","receiver_id":["lobby"],"content":"x"}`, "wrong_kind", "receiver_id"},
		{"to number", `{"type":"group","to":1,"content":"x"}`, "wrong_kind", "to"},
		{"sender number", group(`,"sender_id":1`), "wrong_kind", "sender_id"},
		{"timestamp string", group(`,"timestamp":"1"`), "wrong_kind", "timestamp"},
		{"timestamp of 33 characters", group(`,"timestamp":1.` + strings.Repeat("0", 31)), "wrong_kind", "timestamp"},
		{"metadata array", group(`,"metadata":[]`), "wrong_kind", "metadata"},
		{"metadata string", group(`,"metadata":"{}"`), "wrong_kind", "metadata"},
		{"ref number", group(`,"ref":1`), "wrong_kind", "ref"},
		{"features string", `{"type":"auth","token":"x","features":"ack"}`, "wrong_kind", "features"},
		{"features of numbers", `{"type":"auth","token":"x","features":["ack",1]}`, "wrong_kind", "features"},
		{"limit 0", `{"type":"rooms","limit":0}`, "wrong_kind", "limit"},
		{"limit fraction", `{"type":"rooms","limit":1.5}`, "wrong_kind", "limit"},
		{"seq negative", `{"type":"history","receiver_id":"lobby","before_seq":-1}`, "wrong_kind", "before_seq"},
		{"seq huge", `{"type":"history","receiver_id":"lobby","after_seq":9007199254740993}`, "wrong_kind", "after_seq"},
		{"seq beyond 64 bits", `{"type":"history","receiver_id":"lobby","after_seq":99999999999999999999}`, "wrong_kind", "after_seq"},
		{"since string", `{"type":"history","receiver_id":"lobby","since":"now"}`, "wrong_kind", "since"},

		{"content twice", group(`,"content":"y"`), "duplicate_field", "content"},
		{"content twice, once null", group(`,"content":null`), "duplicate_field", "content"},
		{"content twice, once escaped", group(`,"c\u006fntent":"y"`), "duplicate_field", "content"},
		{"to and receiver_id", group(`,"to":"attic"`), "duplicate_field", "to"},

		{"content of 501", `{"type":"group","receiver_id":"lobby","content":"` + strings.Repeat("a", 501) + `"}`, "content_too_long", "content"},
		{"content of 501 astral", `{"type":"group","receiver_id":"lobby","content":"` + strings.Repeat("🦉", 501) + `"}`, "content_too_long", "content"},
		{"content of 501 escaped", `{"type":"message","receiver_id":"u_ada","content":"` + strings.Repeat(`\ud83e\udd89`, 501) + `"}`, "content_too_long", "content"},
		{"metadata of 4097", group(`,"metadata":{"a":"` + strings.Repeat("m", 4097-8) + `"}`), "metadata_too_long", "metadata"},
		{"ref of 65", group(`,"ref":"` + strings.Repeat("r", 65) + `"`), "ref_too_long", "ref"},
		{"ref of 65 bytes in UTF-8", group(`,"ref":"` + strings.Repeat("é", 33) + `"`), "ref_too_long", "ref"},
		{"token of 4097", `{"type":"auth","token":"` + strings.Repeat("t", 4097) + `"}`, "token_refused", "token"},

		{"A11 room with a line break", `{"type":"join","receiver_id":"a\r\nb"}`, "bad_room", "receiver_id"},
		{"A11 room with an escape sequence", `{"type":"join","receiver_id":"\u001b[31mred"}`, "bad_room", "receiver_id"},
		{"A11 room written from right to left", `{"type":"join","receiver_id":"\u202eevil"}`, "bad_room", "receiver_id"},
		{"A11 room beyond ASCII", `{"type":"history","receiver_id":"küche"}`, "bad_room", "receiver_id"},
		{"room like a user", `{"type":"group","receiver_id":"u_ada","content":"x"}`, "bad_room", "receiver_id"},
		{"room of 65", `{"type":"join","receiver_id":"` + strings.Repeat("a", 65) + `"}`, "bad_room", "receiver_id"},
		{"room with a slash", `{"type":"presence","receiver_id":"../x"}`, "bad_room", "receiver_id"},

		{"id and seq", `{"type":"history","receiver_id":"lobby","id":"x","after_seq":1}`, "bad_range", "id"},
		{"id and time", `{"type":"history","receiver_id":"lobby","id":"x","until":1}`, "bad_range", "id"},
		{"seq and time", `{"type":"history","receiver_id":"lobby","before_seq":1,"since":1}`, "bad_range", "since"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, fail := parseByDefault([]byte(c.text))
			if fail == nil {
				t.Fatalf("%.100s was accepted", c.text)
			}
			if fail.Reason != c.reason || fail.Field != c.field || fail.Message == "" {
				t.Errorf("refused with %q, field %q: %s\nwant %q, field %q", fail.Reason, fail.Field, fail.Message, c.reason, c.field)
			}
			if answer := fail.AppendJSON(nil, "r"); !json.Valid(answer) {
				t.Errorf("the error is not JSON: %s", answer)
			}
		})
	}
}

// What is accepted, and what becomes of it.
func TestRequestAccepted(t *testing.T) {
	seq := int64(7)
	for _, c := range []struct {
		name, text string
		want       Operation
	}{
		{"white space everywhere", " \t\r\n{ \"type\" : \"rooms\" , \"limit\" : 3 } \n", Operation{kind: &opRooms, limit: 3}},
		{"unknown fields", `{"x":{"type":"join","content":1},"type":"rooms","y":[[1,"}"]],"z":-1.5e3}`, Operation{kind: &opRooms}},
		{"escaped name and type", `{"\u0074ype":"\u0072ooms"}`, Operation{kind: &opRooms}},
		{"nulls", `{"type":"rooms","content":null,"metadata":null,"timestamp":null,"ref":null,"after":null}`, Operation{kind: &opRooms}},
		{"32 deep", `{"type":"rooms","x":` + nested(31) + `}`, Operation{kind: &opRooms}},
		{"to", `{"type":"join","to":"lobby"}`, Operation{kind: &opJoin, receiver: "lobby"}},
		{"to and receiver_id alike", `{"type":"join","receiver_id":"lobby","to":"lobby"}`, Operation{kind: &opJoin, receiver: "lobby"}},
		{"receiver_id empty beside to", `{"type":"join","receiver_id":"","to":"lobby"}`, Operation{kind: &opJoin, receiver: "lobby"}},
		{"fields of other types", `{"type":"rooms","before_seq":"x","token":1,"id":7}`, Operation{kind: &opRooms}},
		{"empty content", `{"type":"group","receiver_id":"lobby","content":""}`, Operation{kind: &opGroup, receiver: "lobby"}},
		{"500 code points", `{"type":"group","receiver_id":"lobby","content":"` + strings.Repeat("🦉", 500) + `"}`,
			Operation{kind: &opGroup, receiver: "lobby", content: strings.Repeat("🦉", 500)}},
		{"500 escaped code points", `{"type":"group","receiver_id":"lobby","content":"` + strings.Repeat(`\ud83e\udd89`, 500) + `"}`,
			Operation{kind: &opGroup, receiver: "lobby", content: strings.Repeat("🦉", 500)}},
		{"everything", `{"type":"message","timestamp":-1.50E+3,"sender_id":"u_ada","receiver_id":"no id at all","content":"a\"\\\/\n\u00e9","metadata":{ "a" : 1.0 },"ref":"r"}`,
			Operation{kind: &opMessage, timestamp: "-1.50E+3", sender: "u_ada", receiver: "no id at all", content: "a\"\\/\né", metadata: []byte(`{ "a" : 1.0 }`), ref: "r"}},
		{"metadata of 4096", group(`,"metadata":{"a":"` + strings.Repeat("m", 4096-8) + `"}`),
			Operation{kind: &opGroup, receiver: "lobby", content: "x", metadata: []byte(`{"a":"` + strings.Repeat("m", 4096-8) + `"}`)}},
		{"features", `{"type":"auth","token":"t","features":[ "ack" , "teleport","system","ack"]}`,
			Operation{kind: &opAuth, auth: &authFields{token: "t", features: featureAck | featureSystem, chosen: true}}},
		{"history", `{"type":"history","receiver_id":"u_bob","after_seq":7,"limit":2147483648000}`,
			Operation{kind: &opHistory, receiver: "u_bob", bounds: &boundFields{afterSeq: &seq}, limit: 1<<31 - 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := []byte(c.text)
			got, fail := parseByDefault(text)
			if fail != nil {
				t.Fatalf("refused: %v", fail)
			}
			clear(text) // nothing of it may be kept
			if diff := cmp.Diff(&c.want, got, cmp.AllowUnexported(Operation{}, authFields{}, boundFields{}), cmp.Comparer(func(a, b *definition) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An error carries the ref whenever there is one to carry.
func TestRefOfWhatIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"type":"shout","ref":"r"}`:                    "r",
		`{"ref":"r"}`:                                   "r",
		`{"type":"group","ref":"r","content":1}`:        "r",
		`{"type":"rooms","type":"rooms","ref":"r"}`:     "r",
		`{"type":"rooms","ref":1}`:                      "",
		`{"type":"rooms","ref":"r"`:                     "",
		`{"type":"rooms","limit":0,"ref":"\u0072\"\n"}`: "r\"\n",
	} {
		req, fail := parseByDefault([]byte(text))
		if fail == nil || req.ref != want {
			t.Errorf("%s: ref %q, failure %v; want ref %q", text, req.ref, fail, want)
		}
	}
}

// A message cut off at any byte is refused, and never more than that.
func TestRequestTruncated(t *testing.T) {
	whole := []byte(`{"type":"group","timestamp":1.5e3,"receiver_id":"lobby","content":"\ud83e\udd89","metadata":{"a":[true,null,{}]},"ref":"r"}`)
	for i := range whole {
		if _, fail := parseByDefault(bytes.Clone(whole[:i])); fail == nil || fail.Reason != "not_json" {
			t.Errorf("the first %d bytes: %v", i, fail)
		}
	}
	if _, fail := parseByDefault(whole); fail != nil {
		t.Error(fail)
	}
}

// Every reason that the code gives is in the document, and the other way round.
func TestReasonsAreDocumented(t *testing.T) {
	document, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(document), "| code | reason |")
	table, _, _ = strings.Cut(table, "\n\n")
	documented := make(map[string]bool)
	for _, row := range strings.Split(table, "\n")[2:] {
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(strings.Split(row, "|")[2], -1) {
			documented[m[1]] = true
		}
	}
	given := make(map[string]bool)
	for _, file := range []string{"auth.go", "connection.go", "failure.go", "fields.go", "history.go", "limiter.go", "operation.go", "resume.go", "rooms.go", "scan.go", "session.go", "shaping.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`Reason: +"([a-z_]+)"`).FindAllSubmatch(source, -1) {
			given[string(m[1])] = true
		}
	}
	given["metadata_too_long"] = true // made of the field's name
	if diff := cmp.Diff(documented, given); diff != "" {
		t.Errorf("(-documented +given):\n%s", diff)
	}
}

func TestAppendString(t *testing.T) {
	var every []byte
	for r := rune(0); r < 0x3000; r++ {
		every = append(every, string(r)...)
	}
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "é\u2028🦉", string(every)} {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil || back != s {
			t.Errorf("%.20q came back as %.20q, %v", s, back, err)
		}
	}
	if got := string(appendString(nil, "a\xffb\xed\xa0\x80")); got != "\"a\ufffdb\ufffd\ufffd\ufffd\"" {
		t.Errorf("what is not UTF-8 became %q", got)
	}
}

// parseByDefault is a hub's Parse within the default limits.
func parseByDefault(text []byte) (*Operation, *Failure) {
	limits := DefaultLimits()
	return parse(text, &limits)
}
