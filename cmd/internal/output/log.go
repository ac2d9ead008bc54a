package output

import (
	"bytes"
	"io"
	"log/slog"

	"github.com/hawser-ws/hawser/server"
)

// Log is a log over a Writer. Dropped lines are reported in the log itself, in the place where
// they are missing.
type Log struct {
	*slog.Logger
	*Writer
}

// NewLog starts a log to w. Strangers can fill no more of it than server.LimitLog lets pass.
// handler makes the handler that formats its records.
func NewLog(w io.Writer, handler func(io.Writer) slog.Handler) Log {
	writer := NewWriter(w, func(dropped uint64) []byte {
		var b bytes.Buffer
		slog.New(handler(&b)).Error("log lines were dropped: its reader was too slow, or there was no room", "dropped", dropped)
		return b.Bytes()
	})
	return Log{slog.New(server.LimitLog(handler(writer))), writer}
}
