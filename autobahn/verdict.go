package autobahn

import "fmt"

// Verdict is what a case says about a testee, in the original suite's words.
type Verdict string

// The verdicts on behaviour, followed by those that only a close can have.
const (
	OK            Verdict = "OK"
	NonStrict     Verdict = "NON-STRICT"    // allowed, but not what the RFC asks for
	Informational Verdict = "INFORMATIONAL" // the RFC leaves it open
	Unimplemented Verdict = "UNIMPLEMENTED" // an optional feature the testee declined
	Failed        Verdict = "FAILED"

	WrongCode      Verdict = "WRONG CODE"       // closed with another close code
	Unclean        Verdict = "UNCLEAN"          // closed without the closing handshake
	FailedByClient Verdict = "FAILED BY CLIENT" // the server left closing TCP to the client
)

// Rank orders verdicts from good to bad.
func (v Verdict) Rank() int {
	switch v {
	case OK:
		return 0
	case Informational:
		return 1
	case NonStrict:
		return 2
	case Unimplemented:
		return 3
	}
	return 4
}

// Passes reports whether v counts as passed. Strict counts NON-STRICT and
// UNIMPLEMENTED as failures too.
func (v Verdict) Passes(strict bool) bool {
	if strict {
		return v.Rank() <= Informational.Rank()
	}
	return v.Rank() <= Unimplemented.Rank()
}

// Role says which side of a connection something is.
type Role uint8

// The roles. They can be or-ed.
const (
	Server Role = 1 << iota
	Client
	Both = Server | Client
)

func (r Role) String() string {
	switch r {
	case Server:
		return "server"
	case Client:
		return "client"
	case Both:
		return "server and client"
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}
