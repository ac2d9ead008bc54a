package fuzz

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hawser-ws/hawser/wsproto"
)

// A Close frame with any payload is answered as the reference answers it, also in
// the midst of a message, and what AppendClose agrees to send, a peer and the plain
// reader understand.
func FuzzClose(f *testing.F) {
	for _, payload := range []string{
		"", "\x03", "\x03\xE8", "\x03\xE8bye", "\x03\xE7", "\x03\xEC", "\x03\xED", "\x03\xEE", "\x03\xEF", "\x03\xF6", "\x03\xF7", // C01, C02, C04
		"\x0B\xB7", "\x0B\xB8", "\x13\x87", "\x13\x88", "\xFF\xFF", "\x00\x00", "\x03\xE8\xED\xA0\x80", "\x03\xE8\xCE\xBC", "\x03\xE8\xCE", // C05
		"\x03\xE8 a reason of one hundred and twenty-three bytes, which is the most that fits into a control frame, as 5.5 has it: 12345678",
		"\x03\xE8 a reason of one hundred and twenty-four bytes, which is one more than fits into a control frame, as 5.5 has it: 12345678!",
	} {
		f.Add([]byte(payload), []byte{1, 2}, false)
		f.Add([]byte(payload), []byte{3}, true)
	}
	f.Fuzz(func(t *testing.T, payload, cuts []byte, inMessage bool) {
		for _, role := range []wsproto.Role{wsproto.Server, wsproto.Client} {
			for _, closing := range []bool{false, true} {
				s := settings{Role: role, Limit: 1024, Fragments: 16, Closing: closing}
				var stream []byte
				if inMessage {
					stream = appendWire(stream, 0x01, []byte("begun"), role == wsproto.Server)
				}
				stream = appendWire(stream, 0x88, payload[:min(len(payload), 1000)], role == wsproto.Server)
				stream = appendWire(stream, 0x89, []byte("late"), role == wsproto.Server) // C06
				s.check(t, stream, cuts)
			}
			if len(payload) >= 2 {
				checkSentClose(t, role, int(payload[0])<<8|int(payload[1]), string(payload[2:]))
			}
		}
	})
}

// checkSentClose closes with this code and reason.
func checkSentClose(t *testing.T, role wsproto.Role, code int, reason string) {
	t.Helper()
	mine, peers := settings{Role: role, Limit: 1}, settings{Role: 1 - role, Limit: 1}
	c, _ := mine.open(t)
	p, err := c.AppendClose(nil, wsproto.CloseCode(code), reason)
	allowed := mayBeSent(code) && len(reason) <= 123 && isUTF8([]byte(reason)) || code == 1005 && reason == ""
	if !allowed {
		usage := new(wsproto.UsageError)
		if !errors.As(err, &usage) || len(p) > 0 || c.CloseExpected() {
			t.Errorf("closing with %d %q gives %x, %v; then expected %t", code, reason, p, err, c.CloseExpected())
		}
		return
	}
	payload := string([]byte{byte(code >> 8), byte(code)}) + reason
	if code == 1005 {
		payload = "" // 7.1.5: it stands for a frame without a code
	}
	frames := readFrames(t, p, role == wsproto.Client)
	if err != nil || len(frames) != 1 || frames[0].opcode != 8 || string(frames[0].payload) != payload || !c.CloseExpected() {
		t.Fatalf("closing with %d %q gives %+v, %v", code, reason, frames, err)
	}
	got, _ := peers.feed(t, p, nil, false)
	want := outcome{
		Events:  []happening{{Kind: wsproto.Closed, Code: wsproto.CloseCode(code), Payload: reason}},
		Replies: []reply{{8, payload[:min(2, len(payload))]}},
		Ended:   true, At: len(p),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("closing with %d %q (-want +got):\n%s", code, reason, diff)
	}
}
