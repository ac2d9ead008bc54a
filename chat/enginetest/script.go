package enginetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// script is what people do on the hubs of one engine: a line a step.
//
//	3 open u_ada 0   connection 3 opens on node 0 as Ada, and is authenticated
//	3 join lobby     it joins the room, and does not wait for the answer, as in all that follow
//	3 leave lobby
//	3 unsubscribe lobby
//	3 say lobby      it says something in the room, which it joins by that
//	3 tell u_bob     it writes to Bob
//	3 wait           it waits for every answer
//	3 close          it ends without waiting for anything
//	0 forget lobby   the engine loses the room, whose next epoch begins
//
// A step of a connection that is not open does nothing, and neither does the opening of one
// that is: so every part of a script is a script.
type script []step

type step struct {
	conn       int
	verb, what string
	node       int
}

func (s step) String() string {
	switch {
	case s.verb == "open":
		return fmt.Sprint(s.conn, " open ", s.what, " ", s.node)
	case s.what == "":
		return fmt.Sprint(s.conn, " ", s.verb)
	}
	return fmt.Sprint(s.conn, " ", s.verb, " ", s.what)
}

func (s script) String() string {
	var lines []string
	for _, step := range s {
		lines = append(lines, step.String())
	}
	return strings.Join(lines, "\n")
}

// parseScript reads what String wrote.
func parseScript(text string) (s script) {
	for line := range strings.Lines(text) {
		var st step
		if n, _ := fmt.Sscan(line, &st.conn, &st.verb, &st.what, &st.node); n >= 2 {
			s = append(s, st)
		}
	}
	return s
}

var (
	people = []string{"u_ada", "u_bob", "u_eve"}
	rooms  = []string{"lobby", "attic", "cellar"}
)

// randomScript is a script of n steps. forget says whether the engine can lose a room.
func randomScript(random *rand.Rand, n int, forget bool) (s script) {
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	for len(s) < n {
		st := step{conn: random.IntN(8)}
		switch k := random.IntN(40); {
		case k < 4:
			st.verb, st.what, st.node = "open", pick(people), random.IntN(2)
		case k < 6:
			st.verb = "close"
		case k < 13:
			st.verb, st.what = "join", pick(rooms)
		case k < 15:
			st.verb, st.what = "leave", pick(rooms)
		case k < 16:
			st.verb, st.what = "unsubscribe", pick(rooms)
		case k < 28:
			st.verb, st.what = "say", pick(rooms)
		case k < 34:
			st.verb, st.what = "tell", pick(people)
		case k < 39:
			st.verb = "wait"
		case !forget:
			continue
		default:
			st.conn, st.verb, st.what = 0, "forget", pick(rooms)
		}
		s = append(s, st)
	}
	return s
}

// shrink finds a short part of a script that still fails, by leaving out pieces, large ones
// first. The error is how the shortest one failed. It runs at most so many scripts.
func shrink(s script, err error, fails func(script) error, runs int) (script, error) {
	for size := len(s) / 2; size > 0; size /= 2 {
		for progress := true; progress; {
			progress = false
			for at := 0; at+size <= len(s); {
				if runs--; runs < 0 {
					return s, err
				}
				shorter := slices.Concat(s[:at], s[at+size:])
				if e := fails(shorter); e != nil {
					s, err, progress = shorter, e, true
				} else {
					at += size
				}
			}
		}
	}
	return s, err
}
