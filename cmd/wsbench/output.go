package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hawser-ws/hawser/cmd/internal/outfile"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/report"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/run"
)

// output is the output of a run.
type output struct {
	format                      string // on standard output
	json, csv, html, prometheus string // files; empty: none
	samples                     string // where samples go while they are taken: "", "-" or a file
}

func (o *output) flags(f *flag.FlagSet) {
	f.StringVar(&o.json, "json", "", "")
	f.StringVar(&o.csv, "csv", "", "")
	f.StringVar(&o.html, "html", "", "")
	f.StringVar(&o.prometheus, "prometheus", "", "")
	f.StringVar(&o.format, "format", "text", "")
	f.Func("output", "", func(s string) error {
		kind, path, named := strings.Cut(s, "=")
		if kind != "json" || named && path == "" {
			return errors.New("it is json, for standard output, or json=FILE")
		}
		if o.samples = path; !named {
			o.samples = "-"
		}
		return nil
	})
}

func (o *output) check() error {
	switch o.format {
	case "text", "json", "benchstat":
	default:
		return fmt.Errorf("--format is %q; it is text, json or benchstat", o.format)
	}
	return outfile.Check(o.files()...)
}

// files are those that are asked for.
func (o *output) files() []outfile.File {
	list := []outfile.File{{Flag: "--json", Path: o.json}, {Flag: "--csv", Path: o.csv}, {Flag: "--html", Path: o.html}, {Flag: "--prometheus", Path: o.prometheus}}
	if o.samples != "-" {
		list = append(list, outfile.File{Flag: "--output", Path: o.samples})
	}
	return list
}

// keep writes the files that were asked for: all that can be.
func (o *output) keep(r *result.Result) error {
	var errs []error
	page := func(w io.Writer) error { return report.Page(w, r) }
	metrics := func(w io.Writer) error { return report.Prometheus(w, r, true) }
	for i, fill := range []func(io.Writer) error{r.WriteJSON, r.WriteCSV, page, metrics} {
		errs = append(errs, o.files()[i].Write(fill))
	}
	return errors.Join(errs...)
}

// print prints the result. If samples went to standard output it goes elsewhere.
func (o *output) print(stdout, stderr io.Writer, r *result.Result) error {
	w := stdout
	if o.samples == "-" {
		w = stderr
	}
	switch o.format {
	case "json":
		return r.WriteJSON(w)
	case "benchstat":
		return report.Benchstat(w, r)
	}
	report.Text(w, r, colours(w))
	return nil
}

// live is what a run writes while it is running.
type live struct {
	o       *output
	samples io.Writer // or nil
	file    *os.File  // or nil
	err     error     // the first one
}

// begin opens the files that the run writes to while it is running.
func (o *output) begin(stdout io.Writer) (*live, error) {
	l := &live{o: o}
	switch o.samples {
	case "":
	case "-":
		l.samples = stdout
	default:
		f, err := os.Create(o.samples)
		if err != nil {
			return nil, fmt.Errorf("--output: %w", err)
		}
		l.samples, l.file = f, f
	}
	return l, nil
}

// notify is run.Options.Notify.
func (l *live) notify(p run.Progress) {
	if p.Interval == nil {
		return
	}
	if l.samples != nil {
		b, err := json.Marshal(p.Interval)
		if err == nil {
			_, err = l.samples.Write(append(b, '\n'))
		}
		l.note(err)
	}
	if l.o.prometheus != "" {
		l.note(outfile.File{Flag: "--prometheus", Path: l.o.prometheus}.Write(func(w io.Writer) error {
			return report.Prometheus(w, p.SoFar, false)
		}))
	}
}

func (l *live) note(err error) {
	if l.err == nil {
		l.err = err
	}
}

// end returns what went wrong.
func (l *live) end() error {
	if l.file != nil {
		l.note(l.file.Close())
	}
	return l.err
}
