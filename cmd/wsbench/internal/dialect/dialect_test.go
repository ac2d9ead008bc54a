package dialect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A conversation in each shipped dialect: what is sent, and what the answers
// are taken for.
func TestShipped(t *testing.T) {
	v := Vars{Conn: 5, Rooms: []string{"r1"}, Room: "r1", Token: "tok"}
	for _, c := range []struct {
		name  string
		steps []string
		sends string
		hears map[string]Part // Text left out
		at    map[string]int  // step in which it is heard; otherwise after the last
	}{
		{"centrifugo",
			[]string{`{"id":1,"connect":{}}`, `{"id":2,"subscribe":{"channel":"r1"}}`},
			`{"id":3,"publish":{"channel":"r1","data":{"m":"PAYLOAD"}}}`,
			map[string]Part{
				`{"id":1,"connect":{"client":"x","ping":25}}`:                        {Kind: Expected},
				`{"id":2,"subscribe":{}}`:                                            {Kind: Expected},
				`{"push":{"channel":"r1","pub":{"data":{"m":"PAYLOAD"},"info":{}}}}`: {Kind: Delivery, Payload: []byte("PAYLOAD")},
				`{"id":3,"publish":{}}`:                                              {Kind: Ignored},
				`{"id":3,"error":{"code":103,"message":"permission denied"}}`:        {Kind: Refused},
				`{}`:                  {Kind: Ping},
				`{"something":"new"}`: {Kind: Unknown},
			}, map[string]int{`{"id":1,"connect":{"client":"x","ping":25}}`: 0, `{"id":2,"subscribe":{}}`: 1}},
		{"socketio",
			[]string{"", "40", `423["join","r1"]`},
			`42["publish","r1","PAYLOAD"]`,
			map[string]Part{
				`0{"sid":"a","upgrades":[]}`: {Kind: Expected},
				`40{"sid":"b"}`:              {Kind: Expected},
				`433[]`:                      {Kind: Expected},
				`42["message","PAYLOAD"]`:    {Kind: Delivery, Payload: []byte("PAYLOAD")},
				`42["message",7]`:            {Kind: Delivery},
				`2`:                          {Kind: Ping},
			}, map[string]int{`0{"sid":"a","upgrades":[]}`: 0, `40{"sid":"b"}`: 1, `433[]`: 2}},
		{"chat",
			[]string{`{"type":"auth","token":"tok"}`, `{"type":"join","receiver_id":"r1"}`},
			`{"type":"group","receiver_id":"r1","content":"PAYLOAD"}`,
			map[string]Part{
				`{"type":"auth_ok","session_id":"s_1"}`:                                          {Kind: Expected},
				`{"type":"group","timestamp":1,"sender_id":"u","content":"PAYLOAD","seq":1}`:     {Kind: Delivery, Payload: []byte("PAYLOAD")},
				`{"type":"error","code":429,"reason":"rate_limited","message":"slower, please"}`: {Kind: Refused},
			}, map[string]int{`{"type":"auth_ok","session_id":"s_1"}`: 0}},
		{"chat-presence",
			[]string{`{"type":"auth","token":"tok","features":["presence"]}`, `{"type":"join","receiver_id":"r1"}`},
			`{"type":"group","receiver_id":"r1","content":"PAYLOAD"}`,
			map[string]Part{
				`{"type":"system","event":"joined","receiver_id":"r1"}`:                      {Kind: Ignored},
				`{"type":"ack","op":"join","receiver_id":"r1"}`:                              {Kind: Expected},
				`{"type":"group","timestamp":1,"sender_id":"u","content":"PAYLOAD","seq":1}`: {Kind: Delivery, Payload: []byte("PAYLOAD")},
			}, map[string]int{`{"type":"ack","op":"join","receiver_id":"r1"}`: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Open(c.name)
			if err != nil {
				t.Fatal(err)
			}
			v := v
			var steps []string
			for i := range d.begin {
				b, _ := d.Step(nil, i, &v)
				steps = append(steps, string(b))
			}
			if diff := cmp.Diff(c.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if got := string(d.Publish(nil, &v, []byte("PAYLOAD"))); got != c.sends {
				t.Errorf("publishes %s, want %s", got, c.sends)
			}
			for text, want := range c.hears {
				step, ok := c.at[text]
				if !ok {
					step = Over
				}
				got := d.Read([]byte(text), step)
				got.Text = nil
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", text, diff)
				}
			}
		})
	}
}

func TestLogin(t *testing.T) {
	for name, want := range map[string]int{"chat": 1, "centrifugo": 2} { // centrifugo's rooms are one
		d, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Login(); got != want {
			t.Errorf("%s: %d steps come before the rooms, want %d", name, got, want)
		}
		if at := d.Login(); at < d.begin && !d.ForRooms(at) || d.ForRooms(0) {
			t.Errorf("%s: step %d is not the first for rooms", name, at)
		}
	}
}

func TestSplit(t *testing.T) {
	d, _ := Open("centrifugo")
	var got []string
	for p := []byte("{\"a\":1}\n\n{}\n"); ; {
		part, rest, more := d.Split(p)
		if !more {
			break
		}
		got = append(got, string(part))
		p = rest
	}
	if diff := cmp.Diff([]string{`{"a":1}`, `{}`}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseErrors(t *testing.T) {
	good, err := shipped.ReadFile("files/chat.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"name = ", "nmae = ", "nmae"},
		{"name = \"hawser chat\"", "", "name is missing"},
		{"{{payload}}", "{{paylaod}}", "publish.send: {{paylaod}}"},
		{"{{payload}}", "", "does not contain {{payload}}"},
		{"after = '\"content\":\"'", "", "delivery.after"},
		{"field = 'token'", "", "token needs"},
		{"[token]\n", "[token_]\n", "token_"},
		{"before = '\"'", "before = 'E'", `delivery.before is "E"`},
		{"each = 'room'", "each = 'day'", `open, number 2: each is "day"`},
		{"name = \"", "name = [", "8| name = [hawser"}, // with its line
		{"\"token\":\"{{token}}\"", "{{payload}}", "open, number 1: send: there is no payload yet"},
	} {
		_, err := Parse([]byte(strings.Replace(string(good), c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in place of %q: %v; want %q", c.new, c.old, err, c.want)
		}
	}
	if _, err := Open("no-such-file"); err == nil || !strings.Contains(err.Error(), "centrifugo, chat-presence, chat, socketio") {
		t.Errorf("missing file: %v", err)
	}
}

// A connection that had a session resumes it with what it last heard of each room.
func TestResume(t *testing.T) {
	d, err := Open("chat")
	if err != nil {
		t.Fatal(err)
	}
	v := &Vars{Rooms: []string{"a", "b", "c"}, Token: "T"}
	if first, end := d.Opening(v); first != 0 || end != 2 {
		t.Errorf("without a session: steps %d to %d", first, end)
	}
	for _, answer := range []string{
		`{"type":"auth_ok","session_id":"s_1","resume_key":"old","resumed":false}`,
		`{"type":"ack","op":"join","receiver_id":"b","position":"x.1.T"}`,
		`{"type":"ack","op":"join","receiver_id":"a","position":"x.0.0"}`,
		`{"type":"ack","op":"join","receiver_id":"unknown","position":"y"}`,
		`{"type":"auth_ok","resume_key":"new"}`, `{"session_id":"cut short`, `{}`,
	} {
		d.Remember([]byte(answer), v)
	}
	first, end := d.Opening(v)
	if first != 2 || end != 4 {
		t.Fatalf("with a session: steps %d to %d", first, end)
	}
	out, waits := d.Step(nil, first, v)
	if want := `{"type":"auth","session_id":"s_1","resume_key":"new","resume":{"positions":{"a":"x.0.0","b":"x.1.T"}}}`; string(out) != want || !waits {
		t.Errorf("%s, want %s", out, want)
	}
	if out, waits := d.Step(nil, first+1, v); len(out) > 0 || !waits {
		t.Errorf("then %s; want to wait", out)
	}
	other, err := Open("centrifugo")
	if err != nil {
		t.Fatal(err)
	}
	v = &Vars{Rooms: []string{"a"}}
	if other.Remember([]byte(`{"session_id":"s_1"}`), v); v.Session != "" {
		t.Error("a protocol without sessions has one")
	}
}
