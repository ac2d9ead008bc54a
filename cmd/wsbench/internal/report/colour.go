package report

import "os"

// Colour marks text, or does not.
type Colour bool

// Coloured reports whether a file is a terminal on which colour is wanted.
func Coloured(f *os.File) Colour { return Colour(Terminal(f) && os.Getenv("NO_COLOR") == "") }

// Terminal reports whether a file is a terminal.
func Terminal(f *os.File) bool {
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

func (c Colour) mark(code, s string) string {
	if !c {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Red is for what makes a run worthless, or a failure.
func (c Colour) Red(s string) string { return c.mark("1;31", s) }

// Yellow is for warnings.
func (c Colour) Yellow(s string) string { return c.mark("33", s) }

// Bold is for what matters most.
func (c Colour) Bold(s string) string { return c.mark("1", s) }

// Dim is for what matters least.
func (c Colour) Dim(s string) string { return c.mark("2", s) }
