package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/connect/connecttest"
)

// bench makes one short run, and checks what is kept of it.
func bench(t *testing.T, url string, flags ...string) (out string, ok bool) {
	kept, page := filepath.Join(t.TempDir(), "run.json"), filepath.Join(t.TempDir(), "run.html")
	args := []string{"echo", "--url", url, "--conns", "2", "--inflight", "1", "--duration", "400ms", "--warmup", "0s",
		"--connect-timeout", "5s", "--json", kept, "--html", page, "--quiet"}
	var b bytes.Buffer
	status := program(context.Background(), append(args, flags...), &b, &b)
	for _, file := range []string{kept, page} {
		if b, err := os.ReadFile(file); err == nil {
			connecttest.CheckSecrets(t, filepath.Base(file), string(b))
		}
	}
	if b, _ := os.ReadFile(kept); status == exitGood && strings.Contains(strings.Join(flags, " "), "@") && !strings.Contains(string(b), "***@") {
		t.Errorf("the command is not kept: %.300s", b)
	}
	return b.String(), status == exitGood
}

func TestConnecting(t *testing.T) { connecttest.Programs(t, bench) }

// Processes of their own are told how to connect, too; agents are in TestSealedJob.
func TestConnectingProcesses(t *testing.T) {
	s := connecttest.Serve(t, nil)
	p := connecttest.NewProxy(t, "socks5", s.Addr, nil)
	out, ok := bench(t, "ws://ada:urlsecret@chat.invalid/", "--proxy", "socks5://me:proxysecret@"+p.Addr, "--header", "Host: chat.example", "--processes", "2")
	if !ok {
		t.Fatal(out)
	}
	r := s.Request()
	if user, password, _ := r.BasicAuth(); r.Host != "chat.example" || user != "ada" || password != "urlsecret" || len(p.Asked()) == 0 {
		t.Errorf("the server was asked for Host %s by %s, %s", r.Host, user, password)
	}
}

// What compare keeps of its servers has no password, either.
func TestCompareRedacts(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "run.json")
	serve := os.Args[0] + " serve-for-test {port}"
	var out bytes.Buffer
	status := program(context.Background(), []string{"compare", "echo", "--a", "one=" + serve, "--b", "two=" + serve,
		"--at", "ws://ada:urlsecret@127.0.0.1:{port}/", "--conns", "1", "--inflight", "1", "--duration", "400ms", "--warmup", "0s", "--rounds", "1", "--json", kept}, &out, &out)
	b, err := os.ReadFile(kept)
	if status == exitUsage || err != nil {
		t.Fatalf("status %d, %v:\n%s", status, err, &out)
	}
	connecttest.CheckSecrets(t, "the file", string(b))
	connecttest.CheckSecrets(t, "what was printed", out.String())
	out.Reset()
	status = program(context.Background(), []string{"compare", "echo", "--a", "one=" + serve, "--b", "two=" + serve,
		"--at", "two=ws://ada:urlsecret@127.0.0.1:{port}/", "--inflight", "1"}, &out, &out)
	if status != exitUsage || !strings.Contains(out.String(), "for all servers") {
		t.Errorf("status %d:\n%s", status, &out)
	}
	connecttest.CheckSecrets(t, "what was printed", out.String())
}
