//go:build ignore

// Command report reads "go test -json" and prints what a person wants to know:
// a line a package, the output of what failed, at the end what was skipped and
// why, and the totals. It exits with 1 if a test failed, and, with CI=true, if
// one was skipped.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
}

func main() {
	outputs := map[string][]string{}
	var skipped []string
	passed, failed := 0, 0
	broken := false
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text()) // not an event: what the go command says itself
			continue
		}
		name := e.Package + "." + e.Test
		switch e.Action {
		case "output", "build-output":
			if e.Test == "" && (strings.HasPrefix(e.Output, "ok  \t") || strings.HasPrefix(e.Output, "FAIL\t") || e.Action == "build-output") {
				fmt.Print(e.Output)
			} else {
				outputs[name] = append(outputs[name], e.Output)
			}
		case "pass":
			if e.Test != "" {
				passed++
			}
			delete(outputs, name)
		case "skip":
			if e.Test != "" {
				skipped = append(skipped, fmt.Sprintf("%s: %s", e.Test, reason(outputs[name])))
			}
			delete(outputs, name)
		case "fail":
			if e.Test != "" {
				failed++
			} else {
				broken = true
				// Tests that were cut off, by the time limit or a crash, do not end.
				for cut, lines := range outputs {
					if strings.HasPrefix(cut, name) && cut != name {
						failed++
						fmt.Print(strings.Join(lines, ""))
						delete(outputs, cut)
					}
				}
			}
			fmt.Print(strings.Join(outputs[name], ""))
			delete(outputs, name)
		}
	}
	if len(skipped) > 0 {
		fmt.Println("\nskipped:")
		for _, s := range skipped {
			fmt.Println("  " + s)
		}
	}
	fmt.Printf("\n%d passed, %d failed, %d skipped\n", passed, failed, len(skipped))
	switch {
	case failed > 0 || broken || passed == 0:
		os.Exit(1)
	case len(skipped) > 0 && os.Getenv("CI") == "true":
		fmt.Println("CI=true: a skipped test is a failed one")
		os.Exit(1)
	}
}

// reason finds what a test said when it skipped.
func reason(lines []string) string {
	for _, l := range lines {
		if _, text, ok := strings.Cut(l, ".go:"); ok {
			_, text, _ = strings.Cut(text, ": ")
			return strings.TrimSpace(text)
		}
	}
	return "no reason given"
}
