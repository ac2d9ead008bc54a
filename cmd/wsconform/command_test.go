package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/faulty"
	"github.com/hawser-ws/hawser/autobahn/report"
	"github.com/hawser-ws/hawser/cmd/internal/interrupt/interrupttest"
)

// serve starts a server with a defect and returns its URL.
func serve(t *testing.T, defect string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go faulty.Serve(ln, defect)
	t.Cleanup(func() { ln.Close() })
	return "ws://" + ln.Addr().String() + "/"
}

// command runs wsconform and returns what it printed and its exit status.
func command(args ...string) (out string, status int) {
	var b bytes.Buffer
	status = run(context.Background(), args, &b, &b)
	return b.String(), status
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	good, bad := serve(t, ""), serve(t, "checks UTF-8 at the end")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "ws://" + free.Addr().String() + "/"
	free.Close()
	typo := filepath.Join(t.TempDir(), "typo.json")
	if err := os.WriteFile(typo, []byte(`{"cases": ["1.l.1"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	missing, wrong := filepath.Join(t.TempDir(), "missing"), filepath.Join(t.TempDir(), "wrong.json")
	if err := os.WriteFile(wrong, []byte(`{"1.1.1": ["OK", "PASSED"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   string
		status int
		says   string
	}{
		{"passed", "server --url " + good + " --cases 1.*,7.1.* --quiet", exitPassed, "22     21  1"},
		{"NON-STRICT passes", "server --url " + bad + " --cases 6.4.1 --quiet", exitPassed, "all"},
		{"NON-STRICT fails if strict", "server --url " + bad + " --cases 6.4.1 --quiet --strict", exitFailed, "6.4.1: NON-STRICT / OK"},
		{"no server there", "server --url " + nobody + " --cases 1.1.1", exitCannot, "cannot reach the server"},
		{"no URL", "server --cases 1.1.1", exitUsage, "--url"},
		{"an http URL", "server --url http://127.0.0.1/", exitUsage, "neither ws:// nor wss://"},
		{"a pattern without a case", "server --url " + good + " --cases 8.*", exitUsage, `"8.*"`},
		{"an unknown flag", "server --nonsense", exitUsage, "nonsense"},
		{"a suite version that there is not", "server --url " + good + " --suite-version 99", exitUsage, "suite version 99"},
		{"time scale 0", "server --url " + good + " --time-scale 0", exitUsage, "--time-scale"},
		{"time scale NaN", "server --url " + good + " --time-scale NaN", exitUsage, "--time-scale"},
		{"time scale Inf", "server --url " + good + " --time-scale +Inf", exitUsage, "--time-scale"},
		{"a typo in the configuration", "server --url " + good + " --config " + typo, exitUsage, typo + `: no case matches "1.l.1"`},
		{"an unknown command", "sever", exitUsage, `"sever"`},
		{"dry run", "server --url " + nobody + " --cases 7.9.* --dry-run", exitPassed, "9 cases"},
		{"list", "list 7.9.3 --role server", exitPassed, "1004"},
		{"version", "--version", exitPassed, "suite version 2"},
		{"a format that there is not", "server --url " + good + " --format xml", exitUsage, "--format"},
		{"a negative number of failures", "server --url " + good + " --max-failures -1", exitUsage, "--max-failures"},
		{"list with a pattern without a case", "list 8.*", exitUsage, `"8.*"`},
		{"a pattern without a case, excluded", "server --url " + good + " --exclude 8.*", exitUsage, `"8.*"`},
		{"explain a part", "explain K5.2/43", exitPassed, "the code 42"},
		{"explain a case with parts", "explain K5.2", exitPassed, "on a connection of its own"},
		{"the log of a failed case", "server --url " + bad + " --cases 6.4.1 --quiet --strict --verbose", exitFailed, "GET / HTTP/1.1"},
		{"annotations", "server --url " + bad + " --cases 6.4.1 --quiet --strict --format github", exitFailed, "::warning title=faulty%3A 6.4.1%3A NON-STRICT / OK::"},
		{"explain", "explain 7.9.3", exitPassed, "888237fa213d3416"},
		{"explain what there is not", "explain 7.99", exitUsage, "7.99"},
		{"help", "--help", exitPassed, "Usage"},
		{"help for server", "server --help", exitPassed, "  --url URL"},
		{"completion", "completion bash", exitPassed, "--url"},
		{"completion of a client's flags", "completion fish", exitPassed, "complete -c wsconform -l listen"},
		{"completion in a shell that there is not", "completion tcsh", exitUsage, "tcsh"},
		{"a baseline that is not there", "server --url " + good + " --cases 1.1.1 --baseline " + missing, exitUsage, "--baseline"},
		{"a baseline with an unknown verdict", "server --url " + good + " --cases 1.1.1 --baseline " + wrong, exitUsage, "PASSED"},
		{"a baseline of two servers", "server --url a=" + good + " --url b=" + good + " --cases 1.1.1 --write-baseline " + wrong, exitUsage, "one server"},
		{"JUnit that cannot be written", "server --url " + good + " --cases 1.1.1 --junit " + filepath.Join(missing, "x"), exitUsage, "--junit"},
		{"a baseline that cannot be written", "client --cases 1.1.1 --write-baseline " + filepath.Join(missing, "x"), exitUsage, "--write-baseline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, status := command(strings.Fields(c.args)...)
			if status != c.status || !strings.Contains(out, c.says) {
				t.Errorf("wsconform %s: exit status %d, want %d and %q in:\n%s", c.args, status, c.status, c.says, out)
			}
		})
	}
}

func TestReportsAndBaseline(t *testing.T) {
	t.Parallel()
	url, dir := serve(t, "answers every Close with 1001"), t.TempDir()
	baseline, junit := filepath.Join(dir, "baseline.json"), filepath.Join(dir, "junit.xml")
	out, status := command("server", "--url", url, "--cases", "1.1.1,7.3.3", "--quiet", "--out", filepath.Join(dir, "out"), "--junit", junit, "--write-baseline", baseline)
	if status != exitFailed {
		t.Fatalf("exit status %d, want 1:\n%s", status, out)
	}
	for _, f := range []string{baseline, junit, filepath.Join(dir, "out", "index.json"), filepath.Join(dir, "out", "index.html"), filepath.Join(dir, "out", "faulty.html")} {
		if _, err := os.Stat(f); err != nil {
			t.Error(err)
		}
	}
	_, seed, _ := strings.Cut(out, "\nseed ")
	seed, _, _ = strings.Cut(seed, "\n")
	if out, status = command("server", "--url", url, "--cases", "1.1.1,7.3.3", "--quiet", "--baseline", baseline); !strings.Contains(out, "\nseed "+seed+"\n") {
		t.Errorf("with a baseline the seed is not the baseline's, %s:\n%s", seed, out)
	}
	if status != exitPassed {
		t.Errorf("against its own baseline: exit status %d:\n%s", status, out)
	}
	if out, status = command("server", "--url", url, "--cases", "1.1.1", "--quiet", "--baseline", baseline); status != exitPassed || !strings.Contains(out, "1 cases of the baseline were not run") {
		t.Errorf("some of the baseline's cases: exit status %d:\n%s", status, out)
	}
	if out, status = command("server", "--url", serve(t, ""), "--cases", "1.1.1,7.3.3", "--quiet", "--baseline", baseline); status != exitPassed || !strings.Contains(out, "better than the baseline: 7.3.3") {
		t.Errorf("a better server: exit status %d:\n%s", status, out)
	}
	if out, status = command("server", "--url", serve(t, "drops empty messages"), "--cases", "1.1.1,7.3.3", "--quiet", "--baseline", baseline); status != exitFailed || !strings.Contains(out, "worse than the baseline: 1.1.1") {
		t.Errorf("a server that is worse: exit status %d:\n%s", status, out)
	}
}

// A report that cannot be written keeps nothing from the baseline, and leaves none of
// the files that were tried beforehand.
func TestWhatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	o := &options{junit: filepath.Join(dir, "junit.xml"), writeBaseline: filepath.Join(dir, "baseline.json"), suite: autobahn.Suite, text: io.Discard}
	if err := o.prepare(1); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("prepare leaves %d files", len(files))
	}
	if err := os.Mkdir(o.junit, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := o.conclude(io.Discard, map[string][]*autobahn.Result{"a": nil}, []string{"a"}, 0)
	if err == nil {
		t.Error("JUnit was written to a directory")
	}
	if _, err := report.ReadBaseline(o.writeBaseline); err != nil {
		t.Error(err)
	}
}

// A run that cannot begin leaves no file, and a directory that cannot be added to is
// named before it.
func TestCannotBegin(t *testing.T) {
	dir := t.TempDir()
	out, junit, baseline := filepath.Join(dir, "out"), filepath.Join(dir, "junit.xml"), filepath.Join(dir, "baseline.json")
	args := []string{"server", "--url", "ws://" + freeAddr(t) + "/", "--cases", "1.1.1", "--quiet", "--out", out, "--junit", junit, "--write-baseline", baseline}
	if said, status := command(args...); status != exitCannot {
		t.Errorf("exit status %d:\n%s", status, said)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("there are files: %v", files)
	}
	os.Mkdir(out, 0o755)
	os.WriteFile(filepath.Join(out, "index.json"), []byte("cut off"), 0o644)
	if said, status := command(args...); status != exitUsage || !strings.Contains(said, "--out: "+out) {
		t.Errorf("an index that cannot be read: exit status %d:\n%s", status, said)
	}
	os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
	for flag, path := range map[string]string{"--out": filepath.Join(dir, "file"), "--junit": dir} {
		if said, status := command(append(args, flag, path)...); status != exitUsage || !strings.Contains(said, flag+" "+path+": ") {
			t.Errorf("%s: exit status %d:\n%s", flag, status, said)
		}
	}
}

// The results of one server are reported though the next one cannot be reached.
func TestSecondServerIsNotThere(t *testing.T) {
	junit := filepath.Join(t.TempDir(), "junit.xml")
	out, status := command("server", "--url", "one="+serve(t, ""), "--url", "two=ws://"+freeAddr(t)+"/", "--cases", "1.1.1", "--quiet", "--junit", junit)
	if status != exitCannot || !strings.Contains(out, "PARTIAL: cannot reach the server at ") || !strings.Contains(out, "after 1 of 2 cases") {
		t.Errorf("exit status %d:\n%s", status, out)
	}
	if b, err := os.ReadFile(junit); err != nil || !strings.Contains(string(b), `name="one"`) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestConfigOfTheOriginal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "fuzzingclient.json")
	config := map[string]any{
		"outdir":  filepath.Join(dir, "reports"),
		"servers": []map[string]any{{"agent": "one", "url": serve(t, "")}, {"agent": "two", "url": serve(t, "does not answer Pings"), "options": map[string]int{"version": 18}}},
		"cases":   []string{"1.1.*", "2.*"}, "exclude-cases": []string{"1.1.8"}, "exclude-agent-cases": map[string][]string{"two": {"2.1", "2.2*"}},
	}
	b, _ := json.Marshal(config)
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	out, status := command("server", "--config", file, "--quiet", "--time-scale", "0.3")
	if status != exitFailed {
		t.Errorf("exit status %d:\n%s", status, out)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "reports", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var x map[string]map[string]any
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatal(err)
	}
	if len(x["one"]) != 18 || len(x["two"]) != 16 || x["two"]["2.1"] != nil {
		t.Errorf("%d and %d cases, want 18 and 16 without 2.1", len(x["one"]), len(x["two"]))
	}
	if out, status := command("server", "--config", filepath.Join(dir, "missing.json")); status != exitUsage {
		t.Errorf("a missing file: exit status %d:\n%s", status, out)
	}
}

// The testee that --exec starts is this test itself.
func TestMain(m *testing.M) {
	switch addr := os.Getenv("WSCONFORM_TEST_SERVE"); addr {
	case "":
	case "crash":
		serveFragile(os.Getenv("WSCONFORM_TEST_ADDR"))
	case "fail":
		fmt.Fprintln(os.Stderr, "this program ends at once")
		os.Exit(7)
	case "wsconform":
		os.Unsetenv("WSCONFORM_TEST_SERVE")
		os.Args = append(os.Args[:1], strings.Split(os.Getenv("WSCONFORM_TEST_ARGS"), "\n")...)
		main()
	default:
		if addr, once := strings.CutPrefix(addr, "once:"); once {
			serveOnce(addr)
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		faulty.Serve(ln, "")
	}
	if addr := os.Getenv("WSCONFORM_TEST_PLAY"); addr != "" {
		faulty.Play(func() (net.Conn, error) { return net.Dial("tcp", addr) }, "player", "", 16, 4)
		os.Exit(0)
	}
	interrupttest.HeedHangup()
	flag.Set("test.parallel", "16") // what runs in parallel here waits most of the time
	os.Exit(m.Run())
}

// serveOnce is the server of TestSignal: it refuses a look and the first case, and does
// not answer the second one.
func serveOnce(addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("testee", os.Getpid())
	for requests := 0; ; {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		if n, _ := nc.Read(make([]byte, 4096)); n == 0 {
			continue // a check whether the server is there
		}
		if requests++; requests <= 3 { // a look, once more with an Origin, and a case
			nc.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			nc.Close()
			continue
		}
		fmt.Println("now")
	}
}

// freeAddr is an address to listen on. It is not at 127.0.0.1, where the system may
// assign the port to another program first.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", rand.IntN(256), rand.IntN(256), 2+rand.IntN(250)))
	if err != nil { // not every system has more than one
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestExec(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	t.Setenv("WSCONFORM_TEST_SERVE", addr)
	out, status := command("server", "--url", "ws://"+addr+"/", "--exec", self, "--cases", "1.1.*", "--quiet")
	if status != exitPassed {
		t.Errorf("exit status %d:\n%s", status, out)
	}
	if nc, err := net.Dial("tcp", addr); err == nil {
		nc.Close()
		t.Error("the program under test was not ended")
	}
	t.Setenv("WSCONFORM_TEST_SERVE", "fail")
	out, status = command("server", "--url", "ws://"+addr+"/", "--exec", self, "--cases", "1.1.*", "--quiet")
	if status != exitCannot || !strings.Contains(out, "exit status 7") {
		t.Errorf("a program that ends at once: exit status %d:\n%s", status, out)
	}
}

func TestExecClient(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	t.Setenv("WSCONFORM_TEST_PLAY", addr)
	out, status := command("client", "--listen", addr, "--exec", self, "--cases", "1.*", "--quiet")
	if status != exitPassed || !strings.Contains(out, "player") {
		t.Errorf("exit status %d:\n%s", status, out)
	}
	out, status = command("client", "--listen", addr, "--exec", self, "--cases", "1.*,2.1,2.2", "--quiet")
	if status != exitFailed || !strings.Contains(out, "2 cases were not played") {
		t.Errorf("a client that leaves two cases out: exit status %d:\n%s", status, out)
	}
	config := filepath.Join(t.TempDir(), "fuzzingserver.json")
	if err := os.WriteFile(config, []byte(`{"cases": ["1.*"], "exclude-agent-cases": {"player": ["1.1.3", "1.2.*"]}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	out, status = command("client", "--listen", addr, "--exec", self, "--config", config, "--quiet")
	if status != exitPassed || strings.Contains(out, "not played") {
		t.Errorf("with excluded cases: exit status %d:\n%s", status, out)
	}
}
