package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/report"
	"github.com/hawser-ws/hawser/cmd/internal/outfile"
)

// results writes two agents' reports, as servers and as clients.
func results(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cases, err := autobahn.Cases(autobahn.Suite)
	if err != nil {
		t.Fatal(err)
	}
	result := func(id string, v autobahn.Verdict) *autobahn.Result {
		return &autobahn.Result{Case: autobahn.Find(cases, id), Behavior: v, BehaviorClose: autobahn.OK, Log: &autobahn.WireLog{}, Started: time.Unix(0, 0)}
	}
	for _, r := range roles {
		for agent, testee := range map[string]string{"one": "one 1.5", "An Other/2": ""} {
			list := []*autobahn.Result{result("1.1.1", autobahn.OK), result("7.5.1", autobahn.Failed), result("H1.1", autobahn.NonStrict)}
			if err := report.Write(filepath.Join(dir, r.Folder), outfile.Write, agent, list, report.About{Testee: testee, Date: "today", Suite: autobahn.Suite}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// The site of this repository, with two peers: run checks that no link is dead, and none
// leads out of it.
func TestSite(t *testing.T) {
	s := &site{root: "../../../..", results: results(t), bench: t.TempDir(), out: t.TempDir(), version: "1.2.3", date: "today"}
	var out bytes.Buffer
	if err := run(s, &out); err != nil {
		t.Fatal(err)
	}
	if want := "| one | 1 | 0 | 0 | 0 | 1 | 0 | 0 | 1 | 0 | 0 |"; strings.Count(out.String(), want) != 2 {
		t.Errorf("the tables do not have %q twice:\n%s", want, out.String())
	}
	for page, wants := range map[string][]string{
		"index.html":                             {"1.2.3", `href="servers/index.html"`, `href="clients/index.html"`, `src="bench/idle-15000.svg"`, `href="handbook/readme.html"`, `href="handbook/autobahn-agreement.html"`},
		"servers/index.html":                     {`href="one.html#7.5.1"`, `href="an_other_2`, "one 1.5, today", "../index.html"},
		"clients/one.html":                       {`id="7.5.1"`, "one 1.5"},
		"handbook/readme.html":                   {`href="autobahn-peers.html"`, "<table>", `src="../pictures/cmd-wsbench-plots-idle-15000.svg"`},
		"handbook/cmd-hawser-deployments.html":   {`href="#drain"`, `id="drain"`, `href="cmd-hawser-cluster-operating.html"`},
		"pictures/cmd-wsbench-plots-echo-1000-1": nil,
	} {
		if wants == nil {
			page += ".svg"
		}
		b, err := os.ReadFile(filepath.Join(s.out, page))
		if err != nil {
			t.Error(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s does not have %s", page, want)
			}
		}
	}
	// Everything that a page loads by itself must be in it.
	filepath.WalkDir(s.out, func(p string, _ os.DirEntry, _ error) error {
		b, _ := os.ReadFile(p)
		for _, other := range []string{"@import", "url(", "<link", "<iframe"} {
			if filepath.Ext(p) == ".html" && bytes.Contains(b, []byte(other)) {
				t.Errorf("%s has %s", p, other)
			}
		}
		return nil
	})
}

// With a page of the benchmark the site has that, and its plots.
func TestBenchmark(t *testing.T) {
	s := &site{root: t.TempDir(), bench: t.TempDir(), out: t.TempDir()}
	for _, name := range []string{"index.html", "b.svg", "a.svg", "echo1.json"} {
		if err := os.WriteFile(filepath.Join(s.bench, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	page, plots, err := s.benchmark()
	if diff := cmp.Diff([]string{"bench/index.html", "bench/a.svg", "bench/b.svg"}, append([]string{page}, plots...)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestLinks(t *testing.T) {
	for to, want := range map[string]string{
		"other.html":            "",
		"sub/third.html#place":  "",
		"#here":                 "",
		"none.html":             "there is no such file",
		"other.html#nowhere":    "there is no such place",
		"/other.html":           "absolute",
		"https://example.test/": "out of the site",
		"//example.test/a.png":  "out of the site",
		"../outside.html":       "there is no such file",
	} {
		dir := t.TempDir()
		s := &site{out: dir}
		for name, content := range map[string]string{"index.html": `<p id="here"><a href="` + to + `">a</a>`, "other.html": "", "sub/third.html": `<p id="place">`} {
			if err := s.write(name, []byte(content)); err != nil {
				t.Fatal(err)
			}
		}
		if err := check(dir); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", to, err, want)
		}
	}
}

// Links to files that are not in the site become text; the others lead to its pages.
func TestRelink(t *testing.T) {
	s := &site{root: t.TempDir(), out: t.TempDir()}
	for name, content := range map[string]string{
		"README.md":  "# First\n\n[code](a/b.go) <https://example.test/> [*out*](https://example.test/) [sub](a/SUB.md#part) ![p](a/p.svg)",
		"a/SUB.md":   "# Second\n\n## Part\n\n[back](../README.md)",
		"a/p.svg":    "<svg/>",
		"a/b.go":     "package a",
		".x/SKIP.md": "# Not a document",
	} {
		path := filepath.Join(s.root, name)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	chapters, err := s.handbook()
	if err != nil {
		t.Fatal(err)
	}
	if len(chapters) != 2 || chapters[0].Title != "First" || chapters[1].Title != "Second" {
		t.Fatalf("the chapters are %+v", chapters)
	}
	want := `<p>code https://example.test/ <em>out</em> <a href="a-sub.html#part">sub</a> <img src="../pictures/a-p.svg" alt="p"></p>`
	if !strings.Contains(string(chapters[0].Body), want) {
		t.Errorf("%s\nwant %s", chapters[0].Body, want)
	}
	if !strings.Contains(string(chapters[1].Body), `<a href="readme.html">back</a>`) {
		t.Error(chapters[1].Body)
	}
}
