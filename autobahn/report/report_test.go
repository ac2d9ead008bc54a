package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/autobahn"
)

// sample are results with every kind of verdict, made by hand.
func sample(t *testing.T) []*autobahn.Result {
	t.Helper()
	cases, err := autobahn.Cases(autobahn.Suite)
	if err != nil {
		t.Fatal(err)
	}
	code := 1000
	result := func(id string, b, c autobahn.Verdict) *autobahn.Result {
		return &autobahn.Result{Case: autobahn.Find(cases, id), Index: 1, Agent: "Some Agent/1.0", Started: time.Unix(0, 0), Duration: 1500 * time.Millisecond,
			Behavior: b, BehaviorClose: c, Reason: "because <of> that", ReasonClose: "so", Ending: autobahn.Ending{Opened: true, RemoteCode: &code},
			Log: &autobahn.WireLog{Entries: []autobahn.LogEntry{{At: 1, Dir: autobahn.Sent, Text: "2 bytes", Hex: "8100", Size: 2}}}}
	}
	return []*autobahn.Result{
		result("1.1.1", autobahn.OK, autobahn.OK), result("6.4.1", autobahn.NonStrict, autobahn.OK), result("7.1.6", autobahn.Informational, autobahn.Informational),
		result("7.5.1", autobahn.Failed, autobahn.WrongCode), result("12.1.1", autobahn.Unimplemented, autobahn.OK), result("H1.1", autobahn.OK, autobahn.FailedByClient),
	}
}

// create is a FileWriter.
func create(path string, fill func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return fill(f)
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	results := sample(t)
	about := About{Date: "today", Seed: 7, Suite: 1}
	for _, agent := range []string{"Some Agent/1.0", "other"} {
		if err := Write(dir, create, agent, results, about); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var x map[string]map[string]map[string]any
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"behavior": "FAILED", "behaviorClose": "WRONG CODE", "duration": 1500.0, "remoteCloseCode": 1000.0, "reportfile": "some_agent_1_0_65cea07c_case_7_5_1.json"}
	if diff := cmp.Diff(want, x["Some Agent/1.0"]["7.5.1"]); diff != "" {
		t.Errorf("index.json (-want +got):\n%s", diff)
	}
	if len(x["other"]) != len(results) {
		t.Error("a second agent's results replaced the first's, or are not there")
	}
	if _, err := os.Stat(filepath.Join(dir, "some_agent_1_0_65cea07c_case_7_5_1.json")); err != nil {
		t.Error(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "some_agent_1_0_65cea07c.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"because &lt;of&gt; that", "00000000  81 00", "1500 ms", "RFC 6455 §5.6", `id="7.5.1"`} {
		if !strings.Contains(string(page), s) {
			t.Errorf("the agent's page does not have %q", s)
		}
	}
	matrix, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range [][]byte{page, matrix} {
		if bytes.Contains(p, []byte("src=")) || bytes.Contains(p, []byte("http://")) || bytes.Contains(p, []byte("https://")) {
			t.Error("a page needs something from elsewhere")
		}
	}
	if !bytes.Contains(matrix, []byte(`href="other.html#7.5.1"`)) || !bytes.Contains(matrix, []byte(`href="some_agent_1_0_65cea07c.html#7.5.1"`)) {
		t.Error("the matrix does not have both agents")
	}
}

// No two agents share a file, whatever they are called.
func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	results := sample(t)[:1]
	agents := []string{"A b", "a b", "a_b", "A_B", "a/b", "海", "船", "", "index", "Index", strings.Repeat("long", 75), strings.Repeat("long", 75) + "er", "../up"}
	for range 2 { // the second run writes the same files again
		for _, a := range agents {
			if err := Write(dir, create, a, results, About{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	x, err := ReadIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{"index": "the matrix"}
	for _, a := range agents {
		name := x.written(a)
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q have the files %s", a, other, name)
		}
		seen[name] = a
		page, err := os.ReadFile(filepath.Join(dir, name+".html"))
		if err != nil || !bytes.Contains(page, []byte(template.HTMLEscapeString(a))) {
			t.Errorf("the page of %q: %v", a, err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 2*len(agents)+3 {
		t.Errorf("%d files, want 2 for each of %d agents, and 3", len(files), len(agents))
	}
	for agent, want := range map[string]string{"a_b": "a_b", "Hawser": "hawser"} {
		if got := x.fileName(agent); got != want {
			t.Errorf("the files of %q are called %q, want the original's form, %q", agent, got, want)
		}
	}
}

func TestJUnit(t *testing.T) {
	for _, strict := range []bool{false, true} {
		var b bytes.Buffer
		if err := JUnit(&b, map[string][]*autobahn.Result{"a": sample(t)}, strict, ""); err != nil {
			t.Fatal(err)
		}
		var doc junitSuites
		if err := xml.Unmarshal(b.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		s := doc.Suites[0]
		failures, skipped := 2, 1
		if strict {
			failures, skipped = 4, 0
		}
		if s.Tests != 6 || s.Failures != failures || s.Skipped != skipped {
			t.Errorf("strict %v: %d tests, %d failures, %d skipped; want 6, %d, %d", strict, s.Tests, s.Failures, s.Skipped, failures, skipped)
		}
	}
}

func TestBaseline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "baseline.json")
	results := sample(t)
	if err := create(file, NewBaseline("some \"agent\"", 1, 77, results).Write); err != nil {
		t.Fatal(err)
	}
	b, err := ReadBaseline(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.Agent != `some "agent"` || b.Suite != 1 || b.Seed != 77 || b.Missing(results[1:]) != 1 {
		t.Errorf("the baseline is of %q, suite %d, and %d cases of it are missing", b.Agent, b.Suite, b.Missing(results[1:]))
	}
	if worse, better := b.Compare(results, false); len(worse)+len(better) > 0 {
		t.Errorf("the same run is worse in %q, better in %q", worse, better)
	}
	results[3].BehaviorClose = autobahn.OK // of a case that has failed
	if worse, better := b.Compare(results, false); len(worse)+len(better) > 0 {
		t.Errorf("another close of a case that failed is worse in %q, better in %q", worse, better)
	}
	results[0].Behavior, results[3].Behavior, results[3].BehaviorClose = autobahn.NonStrict, autobahn.OK, autobahn.OK
	delete(b.Verdicts, "H1.1")
	worse, better := b.Compare(results, false)
	if len(worse) != 2 || !strings.HasPrefix(worse[0], "1.1.1: NON-STRICT / OK, was OK / OK") || !strings.Contains(worse[1], "which is new") {
		t.Errorf("worse: %q", worse)
	}
	if len(better) != 1 || !strings.HasPrefix(better[0], "7.5.1: OK / OK, was FAILED / WRONG CODE") {
		t.Errorf("better: %q", better)
	}
}

func TestReadBaseline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "baseline.json")
	for content, want := range map[string]string{
		`{"1.1.1": ["OK", "OK"]}`:               "", // without agent and suite, the earlier format
		`{"1.1.1": ["OK", "PASSED"]}`:           `1.1.1: "PASSED" is no verdict`,
		`{"1.1.1": ["OK"]}`:                     "1.1.1: 1 verdicts",
		`{"1.1.1": ["OK", "OK", "OK"]}`:         "1.1.1: 3 verdicts",
		`{"suite": "one"}`:                      "suite: ",
		``:                                      "unexpected end of JSON",
		`{"hawser": {"1.1.1": {"verdict": 1}}}`: "hawser: ", // an index.json
	} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBaseline(file); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
}

func TestServerGone(t *testing.T) {
	const line = "the server was gone from case 7.1.6 on\n"
	results := sample(t)
	for i, r := range results {
		r.Started = time.Unix(int64(i), 0)
		r.Unreachable = i == 0 // once, and was there again
	}
	table := func() string {
		var b strings.Builder
		Table(&b, "a", results, TableOptions{})
		return b.String()
	}
	if strings.Contains(table(), "gone") {
		t.Errorf("a server that came back is gone:\n%s", table())
	}
	for i, r := range results {
		r.Unreachable = i >= 2
	}
	if !strings.HasSuffix(table(), line) {
		t.Errorf("%s\nwant at its end: %s", table(), line)
	}
}

// The page shows a long log in full if the case did not pass, and otherwise its
// beginning and end.
func TestLogLines(t *testing.T) {
	log := &autobahn.WireLog{}
	for i := range 100 {
		log.Entries = append(log.Entries, autobahn.LogEntry{At: float64(i), Text: "note", Dir: autobahn.Note})
	}
	for verdict, want := range map[autobahn.Verdict]int{autobahn.Failed: 100, autobahn.NonStrict: 100, autobahn.OK: passedHead + 1 + passedTail} {
		lines := logLines(&autobahn.Result{Behavior: verdict, BehaviorClose: autobahn.OK, Log: log})
		if len(lines) != want || lines[len(lines)-1].At != 99 {
			t.Errorf("%s: %d lines, the last of %v ms; want %d, the last of 99", verdict, len(lines), lines[len(lines)-1].At, want)
		}
		if verdict == autobahn.OK && !strings.Contains(lines[passedHead].Text, "76 more lines") {
			t.Errorf("in the middle stands %q", lines[passedHead].Text)
		}
	}
}
