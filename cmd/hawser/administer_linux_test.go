package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/adminapi"
)

// A05, A17: who is banned is disconnected, wherever they are connected, and does not come back,
// also not after a restart, until the ban is lifted. Others notice nothing.
func TestA05A17Ban(t *testing.T) {
	o := newOffice(t)
	data := t.TempDir()
	s := launch(t, data, "127.0.0.1:0", o.flags("--bans.allow=127.0.0.1,10.0.0.0/8")...)
	token, eve := s.guest("Eve")
	honest, _ := s.guest("Bob")
	bob := mustEnter(t, s, nil, honest)
	var eves []*chatClient
	for range 3 {
		eves = append(eves, mustEnter(t, s, nil, token))
	}
	if out := o.run(s, "bans"); out != "hawser: nobody is banned\n" {
		t.Error(out)
	}
	if out := o.run(s, "ban", eve, "--reason", "spam", "--for=720h"); !strings.HasPrefix(out, "hawser: "+eve+" is banned until 20") {
		t.Error(out)
	}
	for _, c := range eves {
		thrownOut(t, c, "banned")
	}
	keptOut(t, s, nil, token)

	// The same for a network.
	near, far := mustEnter(t, s, at("127.0.9.1"), honest), mustEnter(t, s, at("127.0.8.1"), honest)
	if out := o.run(s, "ban", "127.0.9.7/24", "--reason", "flood"); out != "hawser: 127.0.9.0/24 is banned until \"hawser unban 127.0.9.0/24\"\n" {
		t.Error(out)
	}
	thrownOut(t, near, "banned")
	keptOut(t, s, at("127.0.9.2"), honest)
	for name, c := range map[string]*chatClient{"at the same address as the user": bob, "at another network": far} {
		c.send(object{"type": "group", "receiver_id": "lobby", "content": "still here", "ref": "r"})
		if _, err := c.until("ack"); err != nil {
			t.Errorf("somebody %s: %v", name, err)
		}
	}
	var list []chat.Ban
	checkList := func() {
		t.Helper()
		if err := json.Unmarshal([]byte(o.run(s, "bans", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		if len(list) != 2 || list[0].Subject() != "127.0.9.0/24" || list[0].Reason != "flood" || list[0].By != "ada" || list[0].Until != 0 ||
			list[1].Subject() != eve || list[1].Reason != "spam" || list[1].Until != list[1].Since+(720*time.Hour).Milliseconds() {
			t.Errorf("the bans are %+v", list)
		}
	}
	checkList()
	s.stop()
	s = launch(t, data, "127.0.0.1:0", o.flags("--bans.allow=127.0.0.1,10.0.0.0/8")...)
	checkList()
	if out := o.run(s, "bans"); !regexp.MustCompile(`(?m)^127\.0\.9\.0/24 +20\S+Z +lifted +ada +flood$`).MatchString(out) {
		t.Errorf("the table is\n%s", out)
	}
	keptOut(t, s, nil, token)
	keptOut(t, s, at("127.0.9.1"), honest)
	o.run(s, "unban", eve, "--reason", "a mistake")
	o.run(s, "unban", "127.0.9.0/24")
	mustEnter(t, s, nil, token)
	mustEnter(t, s, at("127.0.9.1"), honest)
	o.refused(s, eve+" is not banned", "unban", eve)

	until := time.UnixMilli(list[1].Until).UTC().Format(time.RFC3339Nano)
	want := `{"who":"ada","from":"127.0.0.1","what":"ban","subject":"` + eve + `","reason":"spam","until":"` + until + `","result":"accepted"}
{"who":"ada","from":"127.0.0.1","what":"ban","subject":"127.0.9.0/24","reason":"flood","result":"accepted"}
{"who":"ada","from":"127.0.0.1","what":"unban","subject":"` + eve + `","reason":"a mistake","result":"accepted"}
{"who":"ada","from":"127.0.0.1","what":"unban","subject":"127.0.9.0/24","result":"accepted"}
{"who":"ada","from":"127.0.0.1","what":"unban","subject":"` + eve + `","result":"accepted"}
{"who":"ada","from":"127.0.0.1","what":"unban","subject":"` + eve + `","result":"failed","detail":"not_banned: ` + eve + ` is not banned"}
`
	if d := cmp.Diff(want, o.recorded()); d != "" {
		t.Errorf("the audit log (-want +got):\n%s", d)
	}
}

// What must not be banned is not, and every error says what was wrong.
func TestBanRefused(t *testing.T) {
	o := newOffice(t)
	s := launch(t, t.TempDir(), "127.0.0.1:0", o.flags("--bans.allow=10.0.0.0/8", "--trusted-proxies=192.0.2.1", "--forwarded-header=x-forwarded-for")...)
	for subject, says := range map[string]string{
		"10.1.2.3":     "10.1.2.3/32 cannot be banned: 10.0.0.0/8 in the setting bans.allow protects it",
		"192.0.2.0/24": "192.0.2.0/24 cannot be banned: 192.0.2.1/32 in the setting trusted_proxies protects a part of it",
		"0.0.0.0/0":    "everybody", "::/0": "everybody",
		"eve": `"eve" is neither a user id, nor an address`, "1.2.3.4/33": "is neither",
	} {
		o.refused(s, says, "ban", subject, "--reason=x")
	}
	o.refused(s, "a reason is one line of at most 200 characters", "ban", "u_eve", "--reason=a\nb")
	o.refused(s, "there is no user u_eve", "kick", "u_eve")
	for _, c := range []struct {
		says string
		args []string
	}{
		{"--reason is missing", []string{"ban", "u_eve"}},
		{`--for: "soon" is not allowed`, []string{"ban", "u_eve", "--reason=x", "--for=soon"}},
		{`--for: "10ms" is not allowed`, []string{"ban", "u_eve", "--reason=x", "--for=10ms"}},
		{"0 arguments, want 1", []string{"unban"}},
		{"2 arguments, want 1", []string{"kick", "u_a", "u_b"}},
		{"did you mean --json?", []string{"bans", "--jsno"}},
		{"flag --json: there is no such flag", []string{"kick", "u_a", "--json"}},
	} {
		fail(t, 2, c.says, append(c.args, "--admin="+s.admin(t), "--key-file="+o.key)...)
	}
	if out := o.run(s, "ban", "127.0.0.0/8", "--reason=test", "--for=1s"); !strings.Contains(out, "warning: 127.0.0.0/8 contains 127.0.0.1, which is your own address") {
		t.Error(out)
	}
	if out := o.run(s, "ban", "u_eve", "--reason=test", "--for=1s"); !strings.Contains(out, "warning: there is no user u_eve") {
		t.Error(out)
	}
}

// Who is kicked is logged out everywhere, and may log in again.
func TestKick(t *testing.T) {
	o := newOffice(t)
	s := launch(t, t.TempDir(), "127.0.0.1:0", o.flags()...)
	token, eve := s.guest("Eve")
	if out := o.run(s, "kick", eve); out != "hawser: "+eve+" was not logged in\n" {
		t.Error(out)
	}
	one, two := mustEnter(t, s, nil, token), mustEnter(t, s, nil, token)
	if out := o.run(s, "kick", eve, "--reason", "calm down"); out != "hawser: 2 sessions of "+eve+" ended\n" {
		t.Error(out)
	}
	thrownOut(t, one, "session_ended")
	thrownOut(t, two, "session_ended")
	mustEnter(t, s, nil, token)
	if got := o.recorded(); !strings.HasSuffix(got, `{"who":"ada","from":"127.0.0.1","what":"kick","subject":"`+eve+`","reason":"calm down","result":"accepted"}`+"\n") {
		t.Errorf("the record is\n%s", got)
	}
}

// "hawser limits" lists every limit, with what is set and how often it has refused something.
func TestLimitsListed(t *testing.T) {
	o := newOffice(t)
	s := launch(t, t.TempDir(), "127.0.0.1:0", o.flags("--limits.content=5", "--write-queue=2MiB")...)
	token, _ := s.guest("Eve")
	c := mustEnter(t, s, nil, token)
	for range 3 {
		c.send(object{"type": "group", "receiver_id": "lobby", "content": "too long", "ref": "r"})
		if e, err := c.until("error"); err != nil || e.text("reason") != "content_too_long" {
			t.Fatal(e, err)
		}
	}
	var list []adminapi.Limit
	if err := json.Unmarshal([]byte(o.run(s, "limits", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	bySetting := map[string]adminapi.Limit{}
	for _, l := range list {
		bySetting[l.Setting] = l
	}
	for _, want := range []adminapi.Limit{
		{Setting: "limits.content", Value: "5", Refused: 3},
		{Setting: "write_queue", Value: `"2MiB"`},
	} {
		got := bySetting[want.Setting]
		if !strings.HasPrefix(got.Counter, "hawser_") {
			t.Errorf("%s is counted by %q", got.Setting, got.Counter)
		}
		got.Counter = ""
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	out := o.run(s, "limits")
	example := succeed(t, "config")
	_, table, _ := strings.Cut(example, "\n[limits]\n")
	table, _, _ = strings.Cut(table, "\n[")
	names := regexp.MustCompile(`(?m)^# ([a-z_]+) = `).FindAllStringSubmatch(table, -1)
	if len(names) < 10 {
		t.Fatalf("the configuration has few limits: %v", names)
	}
	for _, m := range names {
		if !strings.Contains(out, "\nlimits."+m[1]+" ") {
			t.Errorf("no %s in\n%s", m[1], out)
		}
	}
}

// A05, A17: who is banned on one node is banned on the other, also after a restart of either.
func TestA05A17BanOnAllNodes(t *testing.T) {
	sh, o := share(t, "redis://"+redistest.Start(t).Addr), newOffice(t)
	here, there := sh.node(t, o.flags("--bans.allow=")...), sh.node(t, o.flags("--bans.allow=")...)
	token, eve := here.guest("Eve")
	honest, _ := here.guest("Bob")
	connected := mustEnter(t, there, nil, token)
	near := mustEnter(t, there, at("127.0.9.1"), honest)
	o.run(here, "ban", eve, "--reason=spam")
	o.run(here, "ban", "127.0.9.0/24", "--reason=flood")
	thrownOut(t, connected, "banned")
	thrownOut(t, near, "banned")
	there.stop()
	there = sh.node(t, o.flags("--bans.allow=")...)
	for _, s := range []*service{here, there} {
		keptOut(t, s, nil, token)
		keptOut(t, s, at("127.0.9.2"), honest)
	}
	if out := o.run(there, "bans"); !strings.Contains(out, "\n127.0.9.0/24 ") || !strings.Contains(out, "\n"+eve+" ") {
		t.Errorf("the bans on the other node:\n%s", out)
	}
	o.run(there, "unban", eve)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, _, err := enter(here.ws("/ws"), token)
		if err == nil {
			c.nc.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("lifted on the other node, she cannot log in: %v", err)
		}
	}
	// A kick reaches all nodes, too.
	one, two := mustEnter(t, here, nil, token), mustEnter(t, there, nil, token)
	o.run(here, "kick", eve)
	thrownOut(t, one, "session_ended")
	thrownOut(t, two, "session_ended")
}
