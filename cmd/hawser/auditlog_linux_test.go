package main

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What cannot be recorded is not done.
func TestAuditLogFull(t *testing.T) {
	o := newOffice(t)
	o.audit = "/dev/full"
	s := launch(t, t.TempDir(), "127.0.0.1:0", o.flags()...)
	token, eve := s.guest("Eve")
	c := mustEnter(t, s, nil, token)
	const says = "it was not done, because it could not be recorded in the audit log: write /dev/full: no space left on device"
	o.refused(s, says, "ban", eve, "--reason=spam")
	o.refused(s, says, "kick", eve)
	o.refused(s, says, "unban", eve)
	if out := o.run(s, "bans"); out != "hawser: nobody is banned\n" {
		t.Error(out)
	}
	c.send(object{"type": "group", "receiver_id": "lobby", "content": "still here", "ref": "r"})
	if _, err := c.until("ack"); err != nil {
		t.Errorf("who was to be banned: %v", err)
	}
}

// The audit log is rotated by renaming it: with SIGHUP there is a new one at once.
func TestAuditLogRotated(t *testing.T) {
	o := newOffice(t)
	s := launch(t, t.TempDir(), "127.0.0.1:0", o.flags()...)
	o.run(s, "ban", "u_eve", "--reason=x")
	if err := os.Rename(o.audit, o.audit+".1"); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Signal(syscall.SIGHUP)
	waitForLog(t, s, "SIGHUP: audit_log is the file of this name")
	if got := o.recorded(); got != "" {
		t.Errorf("the new one has %q", got)
	}
	o.run(s, "unban", "u_eve")
	if got := o.recorded(); got != `{"who":"ada","from":"127.0.0.1","what":"unban","subject":"u_eve","result":"accepted"}`+"\n" {
		t.Errorf("the new one has %q", got)
	}
	if old, err := os.ReadFile(o.audit + ".1"); err != nil || strings.Count(string(old), "\n") != 1 {
		t.Errorf("the old one has %q, %v", old, err)
	}
}

// Automatic bans are recorded, too, and what is allowed is never banned. A full disk does not
// protect an attacker.
func TestAutomaticBansRecorded(t *testing.T) {
	o := newOffice(t)
	behind := []string{"--trusted-proxies=127.0.0.1", "--forwarded-header=x-forwarded-for", "--bans.offences=1", "--bans.allow=198.51.100.0/24"}
	scan := func(s *service, client string) (status int) {
		t.Helper()
		req, err := http.NewRequest("GET", s.url+"/wp-login.php", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-For", client)
		resp, err := s.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	until := func(s *service) {
		t.Helper()
		for deadline := time.Now().Add(patience); scan(s, "203.0.113.9") != 403; time.Sleep(10 * time.Millisecond) {
			if status := scan(s, "198.51.100.7"); status != 404 {
				t.Fatalf("who is allowed to scan gets %d", status)
			}
			if time.Now().After(deadline) {
				t.Fatalf("who scans is not banned\n%s", s.log)
			}
		}
	}
	s := launch(t, t.TempDir(), "127.0.0.1:0", o.flags(behind...)...)
	until(s)
	if got := o.recorded(); !regexp.MustCompile(`^{"who":"automatic","what":"ban","subject":"203\.0\.113\.9/32","reason":"[^"]+","until":"[^"]+","result":"accepted"}\n$`).MatchString(got) {
		t.Errorf("the record is\n%s", got)
	}
	if out := o.run(s, "bans"); !regexp.MustCompile(`(?m)^203\.0\.113\.9/32 .* guard `).MatchString(out) {
		t.Errorf("the bans are\n%s", out)
	}
	o.audit = "/dev/full"
	s = launch(t, t.TempDir(), "127.0.0.1:0", o.flags(behind...)...)
	until(s)
	waitForLog(t, s, `msg="audit_log: an automatic ban could not be recorded" subject=203.0.113.9/32`)
}
