package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/outfile"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/report"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/trial"
)

// runDiff shows two results side by side.
func runDiff(args []string, stdout io.Writer) error {
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" }) {
		return flag.ErrHelp
	}
	if len(args) != 2 {
		return &usageError{Err: errors.New("diff needs two files written by --json")}
	}
	a, err := result.Load(args[0])
	if err != nil {
		return err
	}
	b, err := result.Load(args[1])
	if err != nil {
		return err
	}
	return result.Diff(stdout, a, b)
}

// runReport makes pages, tables and pictures of one kept run, or of comparisons of the
// same servers.
func runReport(args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("report", flag.ContinueOnError)
	html := f.String("html", "", "")
	markdown := f.String("markdown", "", "")
	svg := f.String("svg", "", "")
	readme := f.String("readme", "", "")
	paths, err := cmdline.Parse(f, args)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return &usageError{Err: errors.New("report needs files written by --json")}
	}
	if err := errors.Join(
		outfile.Check(outfile.File{Flag: "--html", Path: *html}, outfile.File{Flag: "--markdown", Path: *markdown}, outfile.File{Flag: "--readme", Path: *readme}),
		outfile.CheckDir("--svg", *svg),
	); err != nil {
		return err
	}
	if r, err := result.Load(paths[0]); err == nil {
		switch {
		case len(paths) > 1:
			return &usageError{Err: errors.New("report shows one run, or comparisons; diff shows two runs")}
		case *markdown != "" || *readme != "":
			return &usageError{Err: errors.New("report: --markdown and --readme are for comparisons; a run has --html and --svg")}
		}
		kept := outfile.File{Flag: "--html", Path: *html}.Write(func(w io.Writer) error { return report.Page(w, r) })
		if *svg != "" {
			kept = errors.Join(kept, report.Charts(*svg, r))
		}
		report.Text(stdout, r, colours(stdout))
		return kept
	}
	var list []*trial.Comparison
	for _, path := range paths {
		c, err := trial.LoadComparison(path)
		if err != nil {
			return err
		}
		list = append(list, c)
	}
	return reportComparisons(list, *html, *markdown, *svg, *readme)
}

func reportComparisons(list []*trial.Comparison, html, markdown, svg, readme string) error {
	text := report.Markdown(list)
	var pictures []report.Picture
	if svg != "" {
		var err error
		if pictures, err = report.Pictures(svg, list); err != nil {
			return err
		}
	}
	if err := errors.Join(
		outfile.File{Flag: "--html", Path: html}.Write(func(w io.Writer) error {
			return report.ComparisonPage(w, "WebSocket servers compared", list)
		}),
		outfile.File{Flag: "--markdown", Path: markdown}.Write(func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}),
	); err != nil {
		return err
	}
	if readme == "" {
		return nil
	}
	out := "\n" + text + "\n"
	for _, p := range pictures {
		path, err := filepath.Rel(filepath.Dir(readme), filepath.Join(svg, p.File))
		if err != nil {
			return err
		}
		out += fmt.Sprintf("![%s](%s)\n", p.Text, filepath.ToSlash(path))
	}
	return report.Between(readme, out+"\n")
}
