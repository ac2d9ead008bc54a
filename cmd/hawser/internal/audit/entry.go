package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Automatic is the server's own name in Entry.Who. No key may have it.
const Automatic = "automatic"

// Result is the result of an act.
type Result string

const (
	Accepted Result = "accepted" // it is done right after the line is written
	Refused  Result = "refused"  // it was not done, and Detail says why
	Failed   Result = "failed"   // it was accepted before, and failed: Detail says how
)

// Entry is a line of the record.
type Entry struct {
	Time    time.Time `json:"time"`           // when the line was written; set by Record
	Who     string    `json:"who"`            // name of a key, or Automatic
	From    string    `json:"from,omitempty"` // address that the request came from
	What    string    `json:"what"`           // ban, unban, kick
	Subject string    `json:"subject"`        // to whom: a user id or a network
	Reason  string    `json:"reason,omitempty"`
	Until   time.Time `json:"until,omitzero"` // when a ban ends; zero: when it is lifted
	Result  Result    `json:"result"`
	Detail  string    `json:"detail,omitempty"`
}

// Recorder keeps entries. File and Log are Recorders.
type Recorder interface {
	// Record returns when the entry can no longer be lost. It may be called by several
	// goroutines. With an error, it is not recorded.
	Record(ctx context.Context, e Entry) error
}

// NotRecordedError is the error of an act that was not done, because there is no record of it.
type NotRecordedError struct{ Err error }

func (e *NotRecordedError) Error() string {
	return "it was not done, because it could not be recorded in the audit log: " + e.Err.Error()
}

func (e *NotRecordedError) Unwrap() error { return e.Err }

// Do records an act and does it. If it cannot be recorded, it is not done, and the error is a
// *NotRecordedError. Otherwise the error is that of the act, which is recorded, too.
func Do(ctx context.Context, r Recorder, e Entry, act func(context.Context) error) error {
	e.Result = Accepted
	if err := r.Record(ctx, e); err != nil {
		return &NotRecordedError{err}
	}
	err := act(ctx)
	if err == nil {
		return nil
	}
	e.Result, e.Detail = Failed, err.Error()
	if missing := r.Record(ctx, e); missing != nil {
		err = errors.Join(err, fmt.Errorf("the audit log says only that it was accepted: %w", missing))
	}
	return err
}

// Log is a Recorder for servers that have no audit log: entries are lines of the ordinary log.
type Log struct{ Log *slog.Logger }

// Record never fails.
func (l Log) Record(ctx context.Context, e Entry) error {
	attrs := []slog.Attr{slog.String("who", e.Who), slog.String("from", e.From), slog.String("what", e.What),
		slog.String("subject", e.Subject), slog.String("reason", e.Reason)}
	if !e.Until.IsZero() {
		attrs = append(attrs, slog.Time("until", e.Until.UTC()))
	}
	attrs = append(attrs, slog.String("result", string(e.Result)))
	if e.Detail != "" {
		attrs = append(attrs, slog.String("detail", e.Detail))
	}
	l.Log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
	return nil
}
