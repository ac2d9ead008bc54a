package main

import (
	"errors"
	"io"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/report"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

// runDiff shows two results beside each other.
func runDiff(args []string, stdout io.Writer) error {
	if len(args) != 2 {
		return &usageError{errors.New("diff wants two files that --json wrote")}
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

// runReport makes the page of a result that was kept.
func runReport(args []string, stdout io.Writer) error {
	if len(args) != 2 {
		return &usageError{errors.New("report wants a file that --json wrote, and the page to write")}
	}
	r, err := result.Load(args[0])
	if err != nil {
		return err
	}
	report.Text(stdout, r, colours(stdout))
	return write(args[1], func(w io.Writer) error { return report.Page(w, r) })
}
