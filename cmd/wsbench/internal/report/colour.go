package report

import (
	"io"
	"os"

	"github.com/hawser-ws/hawser/cmd/internal/terminal"
)

// Colour marks text, or does not.
type Colour bool

// Coloured reports whether a stream is a terminal on which colour is wanted.
func Coloured(w io.Writer) Colour { return Colour(Terminal(w) && os.Getenv("NO_COLOR") == "") }

// Terminal reports whether a stream is a terminal that can do more than print.
func Terminal(w io.Writer) bool { return terminal.Is(w) && os.Getenv("TERM") != "dumb" }

// Sequences are all that a Colour marks with.
var Sequences = []string{escape(red), escape(yellow), escape(bold), escape(dim), escape(none)}

const red, yellow, bold, dim, none = "1;31", "33", "1", "2", "0"

func escape(code string) string { return "\x1b[" + code + "m" }

func (c Colour) mark(code, s string) string {
	if !c {
		return s
	}
	return escape(code) + s + escape(none)
}

// Red is for what makes a run worthless, or a failure.
func (c Colour) Red(s string) string { return c.mark(red, s) }

// Yellow is for warnings.
func (c Colour) Yellow(s string) string { return c.mark(yellow, s) }

// Bold is for what matters most.
func (c Colour) Bold(s string) string { return c.mark(bold, s) }

// Dim is for what matters least.
func (c Colour) Dim(s string) string { return c.mark(dim, s) }
