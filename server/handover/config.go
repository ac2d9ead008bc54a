package handover

import (
	"os"
	"time"
)

// Config says which program to start, and what it is given.
type Config struct {
	Path    string   // absolute; see Executable
	Args    []string // without the program's name; nil: those of this process
	Env     []string // nil: the environment of this process
	Formats []Format // what will be sent

	// StartTimeout is how long the new process may take from its start to Inherit. 0 means 30 s.
	StartTimeout time.Duration

	// StepTimeout is how long it may take for each message, and to commit. 0 means 5 s.
	StepTimeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Args == nil {
		c.Args = os.Args[1:]
	}
	if c.Env == nil {
		c.Env = os.Environ()
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = 30 * time.Second
	}
	if c.StepTimeout == 0 {
		c.StepTimeout = 5 * time.Second
	}
	return c
}
