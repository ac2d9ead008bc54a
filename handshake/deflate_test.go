package handshake

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/wsproto"
)

// everything lets each side do what it can.
var everything = &DeflateOptions{ServerContextTakeover: true}

// What a server with the options in o answers to one header line; "" is that it
// goes on without the extension.
func TestDeflateAnswer(t *testing.T) {
	const (
		bare = "permessage-deflate"
		scnt = "permessage-deflate; server_no_context_takeover"
		ccnt = "permessage-deflate; client_no_context_takeover"
	)
	small := &DeflateOptions{ServerContextTakeover: true, ServerMaxWindowBits: 10, ClientMaxWindowBits: 11}
	for _, c := range []struct {
		name  string
		o     *DeflateOptions
		offer string
		want  string
	}{
		{"off", nil, bare, ""},
		{"default", &DeflateOptions{}, bare, scnt},
		{"everything", everything, bare, bare},
		{"a browser", &DeflateOptions{}, bare + "; client_max_window_bits", scnt},
		{"client asked", &DeflateOptions{ClientNoContextTakeover: true}, bare, scnt + "; client_no_context_takeover"},
		{"server takeover declined", everything, scnt, scnt},
		{"client takeover declined", everything, ccnt, ccnt},

		{"server bits", everything, bare + "; server_max_window_bits=10", bare + "; server_max_window_bits=10"},
		{"server bits 8", everything, bare + "; server_max_window_bits=8", bare + "; server_max_window_bits=8"},
		{"server bits 15", everything, bare + "; server_max_window_bits=15", bare + "; server_max_window_bits=15"},
		{"server bits above ours", small, bare + "; server_max_window_bits=12; client_max_window_bits=11", bare + "; server_max_window_bits=10; client_max_window_bits=11"},
		{"server bits below ours", small, bare + "; server_max_window_bits=9; client_max_window_bits", bare + "; server_max_window_bits=9; client_max_window_bits=11"},
		{"server bits quoted", everything, bare + `; server_max_window_bits="10"`, bare + "; server_max_window_bits=10"},
		{"server bits escaped", everything, bare + `; server_max_window_bits="1\0"`, bare + "; server_max_window_bits=10"},

		{"client bits", everything, bare + "; client_max_window_bits", bare},
		{"client bits 15", everything, bare + "; client_max_window_bits=15", bare},
		{"client bits 8", everything, bare + "; client_max_window_bits=8", bare + "; client_max_window_bits=8"},
		{"client bits quoted", everything, bare + `; client_max_window_bits="9"`, bare + "; client_max_window_bits=9"},
		{"client bits above ours", small, bare + "; client_max_window_bits=12", bare + "; server_max_window_bits=10; client_max_window_bits=11"},
		{"client bits below ours", small, bare + "; client_max_window_bits=9", bare + "; server_max_window_bits=10; client_max_window_bits=9"},
		{"client bits not offered", small, bare, bare + "; client_no_context_takeover; server_max_window_bits=10"},

		{"Z07 server bits 7", everything, bare + "; server_max_window_bits=7", ""},
		{"Z07 server bits 16", everything, bare + "; server_max_window_bits=16", ""},
		{"Z07 server bits 100", everything, bare + "; server_max_window_bits=100", ""},
		{"Z07 server bits 08", everything, bare + "; server_max_window_bits=08", ""},
		{"Z07 server bits 010", everything, bare + "; server_max_window_bits=010", ""},
		{"Z07 server bits +9", everything, bare + "; server_max_window_bits=+9", ""},
		{"Z07 server bits -9", everything, bare + "; server_max_window_bits=-9", ""},
		{"Z07 server bits 1_0", everything, bare + "; server_max_window_bits=1_0", ""},
		{"Z07 server bits 0x9", everything, bare + "; server_max_window_bits=0x9", ""},
		{"Z07 server bits 264", everything, bare + "; server_max_window_bits=264", ""}, // 8 modulo 256
		{"Z07 server bits escaped to 16", everything, bare + `; server_max_window_bits="1\6"`, ""},
		{"Z07 server bits without a value", everything, bare + "; server_max_window_bits", ""},
		{"Z07 client bits 7", everything, bare + "; client_max_window_bits=7", ""},
		{"Z07 client bits 16", everything, bare + "; client_max_window_bits=16", ""},
		{"Z07 client bits 100", everything, bare + "; client_max_window_bits=100", ""},
		{"Z07 client bits quoted 09", everything, bare + `; client_max_window_bits="09"`, ""},
		{"Z07 server takeover with a value", everything, scnt + "=1", ""},
		{"Z07 client takeover with a value", everything, ccnt + "=true", ""},
		{"Z07 unknown parameter", everything, bare + "; level", ""},
		{"Z07 parameter in other case", everything, bare + "; Client_max_window_bits", ""},
		{"Z07 server takeover twice", everything, scnt + "; server_no_context_takeover", ""},
		{"Z07 client takeover twice", everything, ccnt + "; client_no_context_takeover", ""},
		{"Z07 server bits twice", everything, bare + "; server_max_window_bits=10; server_max_window_bits=10", ""},
		{"Z07 client bits twice", everything, bare + "; client_max_window_bits; client_max_window_bits=10", ""},
		{"Z07 unknown beside good ones", everything, bare + "; client_max_window_bits; server_max_window_bits=10; x=1", ""},

		{"other extension", everything, "x-webkit-deflate-frame", ""},
		{"name in other case", everything, "Permessage-Deflate", ""},
		{"the client's order", everything, bare + "; server_max_window_bits=9, " + bare, bare + "; server_max_window_bits=9"},
		{"Z07 the next offer", everything, bare + "; server_max_window_bits=7, foo; a, " + bare + "; client_max_window_bits=9, " + bare, bare + "; client_max_window_bits=9"},
		{"Z07 none is left", everything, bare + "; x, " + bare + "; client_max_window_bits=16", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			offers, err := parseExtensions([]string{c.offer})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if answer := c.o.choose(offers); answer != nil {
				got = answer.String()
			}
			if got != c.want {
				t.Errorf("offer  %s\nanswer %s\nwant   %s", c.offer, got, c.want)
			}
		})
	}
}

// The answer on the wire, and in Result.
func TestUpgradeDeflate(t *testing.T) {
	const offer = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10; client_max_window_bits"
	for name, c := range map[string]struct {
		o      *DeflateOptions
		raw    string
		header []string
		want   *wsproto.Deflate
	}{
		"agreed": {&DeflateOptions{ClientMaxWindowBits: 9}, with(offer),
			[]string{"permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9"},
			&wsproto.Deflate{ServerNoContextTakeover: true, ServerMaxWindowBits: 10, ClientMaxWindowBits: 9}},
		"agreed on the second line": {everything, with("Sec-WebSocket-Extensions: foo", "Sec-WebSocket-Extensions: permessage-deflate"),
			[]string{"permessage-deflate"},
			&wsproto.Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}},
		"off":          {nil, with(offer), nil, nil},
		"not offered":  {everything, hello + "\r\n", nil, nil},
		"Z07 declined": {everything, with(offer + "=7"), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rep, o := assertUpgrade(t, &Upgrader{Deflate: c.o}, c.raw)
			if d := cmp.Diff(c.header, rep.Header[extensionsHeader]); d != "" {
				t.Errorf("Sec-WebSocket-Extensions (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.want, o.res.Deflate); d != "" {
				t.Errorf("Result.Deflate (-want +got):\n%s", d)
			}
		})
	}
}

// Options that RFC 7692 cannot express are the server's own fault.
func TestUpgradeDeflateMisuse(t *testing.T) {
	for _, c := range []struct {
		o    DeflateOptions
		want string
	}{
		{DeflateOptions{ServerMaxWindowBits: 7}, "deflate options: ServerMaxWindowBits is 7, want 8 to 15"},
		{DeflateOptions{ServerMaxWindowBits: 16}, "deflate options: ServerMaxWindowBits is 16, want 8 to 15"},
		{DeflateOptions{ClientMaxWindowBits: 1}, "deflate options: ClientMaxWindowBits is 1, want 8 to 15"},
		{DeflateOptions{ClientMaxWindowBits: 255}, "deflate options: ClientMaxWindowBits is 255, want 8 to 15"},
	} {
		w := newHijackable()
		_, _, _, err := (&Upgrader{Deflate: &c.o}).Upgrade(w, parsed(t, hello+"\r\n"))
		w.close()
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Status != 500 || refusal.Reason != c.want || w.status != 500 {
			t.Errorf("answered %d, %v; want %s", w.status, err, c.want)
		}
	}
}

func TestDeflateOffer(t *testing.T) {
	for want, o := range map[string]*DeflateOptions{
		"permessage-deflate; server_no_context_takeover; client_max_window_bits":                                                          {},
		"permessage-deflate; client_max_window_bits":                                                                                      everything,
		"permessage-deflate; client_no_context_takeover; client_max_window_bits=8":                                                        {ServerContextTakeover: true, ClientNoContextTakeover: true, ClientMaxWindowBits: 8},
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=14; client_max_window_bits=9": {ClientNoContextTakeover: true, ServerMaxWindowBits: 14, ClientMaxWindowBits: 9},
	} {
		if got := o.offer().String(); got != want {
			t.Errorf("%+v offers\n%s, want\n%s", *o, got, want)
		}
	}
	largest := &DeflateOptions{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	if got, want := largest.offer().String(), new(DeflateOptions).offer().String(); got != want {
		t.Errorf("15 offers %s, 0 offers %s", got, want)
	}
}

// What a client with the options in o makes of an answer.
func TestDialDeflate(t *testing.T) {
	const bare = "permessage-deflate"
	small := &DeflateOptions{ServerContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 10, ClientMaxWindowBits: 11}
	for _, c := range []struct {
		name   string
		o      *DeflateOptions
		answer string
		want   wsproto.Deflate
	}{
		{"bare", everything, bare, wsproto.Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}},
		{"unasked", everything, bare + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits=8",
			wsproto.Deflate{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 8, ClientMaxWindowBits: 8}},
		{"as asked", &DeflateOptions{}, bare + "; server_no_context_takeover",
			wsproto.Deflate{ServerNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}},
		{"hints not repeated", small, bare + "; server_max_window_bits=10",
			wsproto.Deflate{ClientNoContextTakeover: true, ServerMaxWindowBits: 10, ClientMaxWindowBits: 11}},
		{"less than asked", small, bare + `;client_max_window_bits="10"; server_max_window_bits=9`,
			wsproto.Deflate{ClientNoContextTakeover: true, ServerMaxWindowBits: 9, ClientMaxWindowBits: 10}},
		{"largest spelled out", everything, bare + "; server_max_window_bits=15; client_max_window_bits=15",
			wsproto.Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}},
	} {
		t.Run(c.name, func(t *testing.T) {
			nc, _, res, err := dialTo(t, DialOptions{Deflate: c.o}, add("Sec-WebSocket-Extensions: "+c.answer))
			if err != nil {
				t.Fatal(err)
			}
			nc.Close()
			if d := cmp.Diff(&c.want, res.Deflate); d != "" {
				t.Errorf("Result.Deflate (-want +got):\n%s", d)
			}
		})
	}
	t.Run("declined", func(t *testing.T) {
		nc, _, res, err := dialTo(t, DialOptions{Deflate: everything}, agreed)
		if err != nil || res.Deflate != nil {
			t.Fatalf("Result.Deflate %+v, %v", res.Deflate, err)
		}
		nc.Close()
	})
}

func TestDialDeflateRefuses(t *testing.T) {
	const line = "Sec-WebSocket-Extensions: permessage-deflate"
	asking := &DeflateOptions{}
	small := &DeflateOptions{ServerContextTakeover: true, ServerMaxWindowBits: 10, ClientMaxWindowBits: 11}
	for _, c := range []struct {
		name    string
		o       *DeflateOptions
		answer  string
		mention string
	}{
		{"none offered", nil, line, "none was offered"},
		{"other extension", everything, "Sec-WebSocket-Extensions: foo", `"foo" was not offered`},
		{"other extension as well", everything, line + ", foo", `"foo" was not offered`},
		{"name in other case", everything, "Sec-WebSocket-Extensions: Permessage-Deflate", `"Permessage-Deflate" was not offered`},
		{"twice", everything, line + ", permessage-deflate", "permessage-deflate is given twice"},
		{"twice, two lines", everything, line + "\r\n" + line, "permessage-deflate is given twice"},
		{"syntax", everything, line + "; =1", "want a token at byte 20"},
		{"unknown parameter", everything, line + "; level=9", `parameter "level" is unknown`},
		{"Z07 duplicate parameter", everything, line + "; server_max_window_bits=10; server_max_window_bits=10", "server_max_window_bits is given twice"},
		{"Z07 server bits 7", everything, line + "; server_max_window_bits=7", `server_max_window_bits is "7", want 8 to 15`},
		{"Z07 server bits 16", everything, line + "; server_max_window_bits=16", `server_max_window_bits is "16", want 8 to 15`},
		{"Z07 client bits 100", everything, line + "; client_max_window_bits=100", `client_max_window_bits is "100", want 8 to 15`},
		{"server bits without a value", everything, line + "; server_max_window_bits", "server_max_window_bits has no value"},
		{"client bits without a value", everything, line + "; client_max_window_bits", "client_max_window_bits has no value"},
		{"server takeover with a value", everything, line + "; server_no_context_takeover=1", `server_no_context_takeover is "1", want no value`},
		{"client takeover with a value", everything, line + "; client_no_context_takeover=1", `client_no_context_takeover is "1", want no value`},
		{"server takeover not given up", asking, line, "server_no_context_takeover was asked for and is missing"},
		{"server bits missing", small, line, "server_max_window_bits was asked for and is missing"},
		{"server bits above", small, line + "; server_max_window_bits=11", "server_max_window_bits is 11, at most 10 was asked for"},
		{"client bits above", small, line + "; server_max_window_bits=10; client_max_window_bits=12", "client_max_window_bits is 12, at most 11 was offered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nc, _, _, err := dialTo(t, DialOptions{Deflate: c.o}, add(c.answer))
			var refusal *Error
			if nc != nil || !errors.As(err, &refusal) || refusal.Status != 101 {
				t.Fatalf("got %v, %v; want an *Error", nc, err)
			}
			if !strings.HasPrefix(refusal.Reason, "Sec-WebSocket-Extensions header") || !strings.Contains(refusal.Reason, c.mention) {
				t.Errorf("reason %s, want it to say %q", refusal.Reason, c.mention)
			}
		})
	}
	// Dial always offers client_max_window_bits, and is strict without it too.
	_, err := new(deflateParams).verify([]string{"permessage-deflate; client_max_window_bits=15"})
	if err == nil || err.Error() != "client_max_window_bits was not offered" {
		t.Errorf("error %v", err)
	}
}

// Any two option sets lead to an agreement that is the same on both ends and
// within the limits of both.
func TestDeflateBothRoles(t *testing.T) {
	var all []*DeflateOptions
	for _, server := range []uint8{0, 8, 11, 15} {
		for _, client := range []uint8{0, 8, 11, 15} {
			for _, takeover := range []DeflateOptions{{}, {ServerContextTakeover: true}, {ClientNoContextTakeover: true}} {
				o := takeover
				o.ServerMaxWindowBits, o.ClientMaxWindowBits = server, client
				all = append(all, &o)
			}
		}
	}
	for _, ours := range all {
		for _, theirs := range all {
			offer := theirs.offer()
			offers, err := parseExtensions([]string{offer.String()})
			if err != nil {
				t.Fatal(err)
			}
			answer := ours.choose(offers)
			if answer == nil {
				t.Fatalf("%+v declines %s", *ours, offer)
			}
			got, err := offer.verify([]string{answer.String()})
			if err != nil {
				t.Fatalf("offer %s, answer %s: %v", offer, answer, err)
			}
			if d := cmp.Diff(answer.agreed(), got); d != "" {
				t.Fatalf("offer %s, answer %s (-server +client):\n%s", offer, answer, d)
			}
			want := &wsproto.Deflate{
				ServerNoContextTakeover: !ours.ServerContextTakeover || !theirs.ServerContextTakeover,
				ClientNoContextTakeover: ours.ClientNoContextTakeover || theirs.ClientNoContextTakeover,
				ServerMaxWindowBits:     min(orLargest(ours.ServerMaxWindowBits), orLargest(theirs.ServerMaxWindowBits)),
				ClientMaxWindowBits:     min(orLargest(ours.ClientMaxWindowBits), orLargest(theirs.ClientMaxWindowBits)),
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%+v and %+v (-want +got):\n%s", *ours, *theirs, d)
			}
		}
	}
}
