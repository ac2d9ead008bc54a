//go:build !linux

package handover

// Giver is the old process's side.
type Giver struct{}

// Start returns ErrUnsupported.
func Start(Config) (*Giver, error) { return nil, ErrUnsupported }

func (g *Giver) PID() int                        { return 0 }
func (g *Giver) Versions() Versions              { return nil }
func (g *Giver) Send(byte, []byte, ...int) error { return ErrUnsupported }
func (g *Giver) Commit() error                   { return ErrUnsupported }
func (g *Giver) Abort(error)                     {}

// Taker is the new process's side.
type Taker struct{}

// Inherit returns nil: no process was started by Start.
func Inherit([]Format) (*Taker, error) { return nil, nil }

func (t *Taker) Versions() Versions        { return nil }
func (t *Taker) Receive() (Message, error) { return Message{}, ErrUnsupported }
func (t *Taker) Refuse(error)              {}
func (t *Taker) Commit() error             { return ErrUnsupported }
