// Command site makes the project's static site: the conformance of every peer that
// wsconform was run against, the benchmark's plots, and the handbook. Its pages refer to
// nothing outside of their folder, which can be published or opened as it is.
//
// It is run by "make site". Read site.go; conformance.go, benchmark.go and handbook.go are
// its parts, and links.go checks that no link is dead.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hawser-ws/hawser/autobahn/report"
)

func main() {
	var s site
	flag.StringVar(&s.root, "root", ".", "`directory` of the repository")
	flag.StringVar(&s.results, "results", "dist/peers", "`directory` with wsconform's reports on servers and on clients, in folders of these names")
	flag.StringVar(&s.bench, "bench", "dist/bench", "`directory` with the benchmark's page; without one there, the site has the plots of the handbook")
	flag.StringVar(&s.out, "out", "", "`directory` to write the site to; without it, only the tables of verdicts are printed")
	flag.StringVar(&s.version, "version", "", "the project's `version`")
	flag.Parse()
	s.date = time.Now().Format("2 January 2006")
	if err := run(&s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

func run(s *site, stdout io.Writer) error {
	for _, r := range roles {
		all, err := report.Read(filepath.Join(s.results, r.Folder))
		if err != nil {
			return err
		}
		if len(all.Index) == 0 {
			continue
		}
		fmt.Fprintf(stdout, "%s:\n\n", r.Title)
		if err := all.Summary(stdout); err != nil {
			return err
		}
		fmt.Fprintln(stdout)
	}
	if s.out == "" {
		return nil
	}
	if err := s.make(); err != nil {
		return err
	}
	if err := check(s.out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "the site is %s\n", filepath.Join(s.out, "index.html"))
	return err
}
