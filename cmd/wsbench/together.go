package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// and stands between the scenarios of a command line that run at the same time.
const and = "+"

// runTogether carries out several scenarios at once. Their connections are made first; then
// all loads begin together. The reports follow one another.
func runTogether(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var runs []*settings
	for len(args) > 0 {
		i := slices.Index(args, and)
		if i < 0 {
			i = len(args)
		}
		s, flags, err := scenarioOf(args[:i])
		if err != nil {
			return err
		}
		o, err := prepare(s, flags)
		if err != nil {
			return err
		}
		if o.samples == "-" {
			return &usageError{Err: errors.New("--output json of several scenarios needs a file for each: json=FILE")}
		}
		runs = append(runs, o)
		if args = args[i:]; len(args) == 1 {
			return &usageError{Err: errors.New("a scenario is missing after +")}
		} else if len(args) > 0 {
			args = args[1:]
		}
	}
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	meet := meeting(len(runs))
	reports := make([]bytes.Buffer, len(runs))
	errs := make([]error, len(runs))
	var first error // that ends the others
	var once sync.Once
	var wg sync.WaitGroup
	for i, o := range runs {
		o.Apart, o.Meet = true, meet
		o.Plan.RoomName = fmt.Sprintf("bench-%d", i+1) // rooms of its own
		o.quiet = o.quiet || i > 0                     // there is one line for progress
		wg.Go(func() {
			errs[i] = o.run(ctx, &reports[i], stderr)
			if errs[i] != nil && !errors.Is(errs[i], errFailed) && !errors.Is(errs[i], errThreshold) {
				once.Do(func() { first = errs[i] })
				cut(fmt.Errorf("%s, which ran at the same time: %w", o.Plan.Scenario, errs[i]))
			}
		})
	}
	wg.Wait()
	for i := range reports {
		if _, err := reports[i].WriteTo(stdout); err != nil {
			return err
		}
	}
	for _, err := range []error{errFailed, errThreshold} {
		if first == nil && slices.Contains(errs, err) {
			return err
		}
	}
	return first
}

// meeting returns a function that returns when it has been called n times.
func meeting(n int) func(context.Context) error {
	var here sync.WaitGroup
	here.Add(n)
	all := make(chan struct{})
	go func() {
		here.Wait()
		close(all)
	}()
	return func(ctx context.Context) error {
		here.Done()
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
