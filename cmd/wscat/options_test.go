package main

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/internal/connect/connecttest"
)

func TestParse(t *testing.T) {
	got, err := parse([]string{
		"--once", "ws://a/", "--binary", "--hex", "--ping", "5s", "--close", "4001:so long: bye",
		"--subprotocol", "a, b", "--header", "x-a: 1:2", "--timeout", "1s", "--close-timeout", "2s",
		"--max-message", "7",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &options{
		url: "ws://a/", connect: connect.Options{Subprotocols: []string{"a", "b"}, Header: http.Header{"x-a": {"1:2"}}},
		timeout: time.Second, once: true, binary: true, ping: 5 * time.Second,
		closeCode: 4001, closeReason: "so long: bye", hex: true, maxMessage: 7,
		closeTimeout: 2 * time.Second,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(options{}), cmpopts.IgnoreUnexported(connect.Options{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every flag stands in the usage, and every flag in the usage exists.
func TestUsage(t *testing.T) {
	defined := map[string]bool{}
	new(options).flags().VisitAll(func(f *flag.Flag) { defined[f.Name] = true })
	described := map[string]bool{}
	for line := range strings.Lines(usage) {
		if name, ok := strings.CutPrefix(line, "  --"); ok {
			name, _, _ = strings.Cut(name, " ")
			described[name] = true
		}
	}
	if diff := cmp.Diff(defined, described); diff != "" {
		t.Errorf("(-defined +described):\n%s", diff)
	}
	want := outcome{stdout: usage}
	if diff := cmp.Diff(want, wscat(t, "", "--help"), cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("--help (-want +got):\n%s", diff)
	}
}

// A wrong command line is status 2, names what is wrong with it, and connects
// to nothing.
func TestWrongUsage(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(noPEM, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	url := script(t, func(p *peer) { t.Error("there was a connection") })
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "the URL is missing"},
		{[]string{url, "ws://b/"}, "want one URL, got 2"},
		{[]string{"http://127.0.0.1/"}, `scheme is "http", want ws:// or wss://`},
		{[]string{"ws:///path"}, "names no host"},
		{[]string{"--colour", url}, "-colour"},
		{[]string{"--ping", "-1s", url}, "--ping is -1s"},
		{[]string{"--ping", "soon", url}, "-ping"},
		{[]string{"--wait", "soon", url}, "want a duration"},
		{[]string{"--wait", "5", url}, "want a duration"},
		{[]string{"--timeout", "0", url}, "--timeout is 0s"},
		{[]string{"--close-timeout", "0", url}, "--close-timeout is 0s"},
		{[]string{"--max-message", "0", url}, "--max-message is 0"},
		{[]string{"--close", "bye", url}, `"bye" is not a close code`},
		{[]string{"--close", "66536", url}, `"66536" is not a close code`},
		{[]string{"--close", "1006", url}, "close code 1006 abnormal closure must not be sent"},
		{[]string{"--close", "1000:" + strings.Repeat("a", 124), url}, "close reason over 123 bytes"},
		{[]string{"--close", "1005:bye", url}, "a close reason needs a code"},
		{[]string{"--header", "Cookie", url}, "want 'NAME: VALUE'"},
		{[]string{"--header", "Upgrade: b", url}, "Upgrade is set by the handshake itself"},
		{[]string{"--header", "A b: c", url}, `"A b" is not a header name`},
		{[]string{"--subprotocol", "a b", url}, `subprotocol "a b" is not a token`},
		{[]string{"--subprotocol", "a", "--subprotocol", "a", url}, `subprotocol "a" is offered twice`},
		{[]string{"--cacert", noPEM, "--insecure", url}, "--insecure and --cacert contradict each other"},
		{[]string{"--cacert", noPEM, url}, "empty.pem is empty"},
		{[]string{"--cacert", noPEM + ".no", url}, "--cacert: open"},
	} {
		got := wscat(t, "", c.args...)
		if got.status != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want 2 and %q", c.args, got.status, got.stdout, got.stderr, c.want)
		}
	}
}

func TestConnecting(t *testing.T) {
	connecttest.Programs(t, func(t *testing.T, url string, flags ...string) (string, bool) {
		got := wscat(t, "hi", append([]string{"--once", url}, flags...)...)
		return got.stdout + got.stderr, got.status == exitInOrder && got.stdout == "hi\n"
	})
}

func TestCompletionAndVersion(t *testing.T) {
	for args, want := range map[string]string{"completion bash": "--once", "completion fish": "complete -c wscat -l once", "--version": "wscat "} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), strings.Fields(args), strings.NewReader(""), &out, &errs); status != exitInOrder || !strings.Contains(out.String(), want) {
			t.Errorf("%s: status %d, %q, %q", args, status, &out, &errs)
		}
	}
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"completion", "tcsh"}, strings.NewReader(""), &out, &errs); status != exitUsage || !strings.Contains(errs.String(), "fish") {
		t.Errorf("status %d, %q", status, &errs)
	}
}
