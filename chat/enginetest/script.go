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
//	3 resume key 1   it opens again, on node 1, in its session, and says what it has heard
//	3 lose key 1     the same, but it does not hear the answer
//	4 share 3 1      connection 4 opens on node 1, in the session of connection 3
//	3 logout own     it ends its session
//	3 logout all     it ends all sessions of its user
//	3 logout 4       it ends the session of connection 4
//	0 pass time      20 minutes pass
//	0 forget lobby   the engine loses the room, whose next epoch begins
//	0 ban u_ada      Ada is banned
//	0 unban u_ada    she is not banned any more
//	0 delete u_ada   she is deleted, and registers again
//
// A client resumes with the key of its session, with its token (token), with both (both),
// with the previous key (before), or with one that was replaced before that (stale).
//
// A step of a connection that is not open does nothing, and neither does opening one that
// is: so every part of a script is a script.
type script []step

type step struct {
	conn       int
	verb, what string
	node       int
}

func (s step) String() string {
	switch {
	case s.verb == "open" || s.verb == "resume" || s.verb == "lose" || s.verb == "share":
		return fmt.Sprint(s.conn, " ", s.verb, " ", s.what, " ", s.node)
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
	people = []string{"u_ada", "u_bob", "u_eve", "u_gil"}
	rooms  = []string{"lobby", "attic", "cellar"}
	ways   = []string{"key", "key", "key", "key", "key", "token", "both", "before", "stale"}
)

// randomScript is a script of n steps. forget says whether the engine can lose a room.
func randomScript(random *rand.Rand, n int, forget bool) (s script) {
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	for len(s) < n {
		st := step{conn: random.IntN(8)}
		switch k := random.IntN(122); {
		case k < 10:
			st.verb, st.what, st.node = "open", pick(people), random.IntN(2)
		case k < 17:
			st.verb = "close"
		case k < 30:
			st.verb, st.what, st.node = "resume", pick(ways), random.IntN(2)
		case k < 32:
			st.verb, st.what, st.node = "lose", "key", random.IntN(2)
		case k < 34:
			st.verb, st.what, st.node = "share", fmt.Sprint(random.IntN(8)), random.IntN(2)
		case k < 36:
			st.verb, st.what = "logout", pick([]string{"own", "own", "all", "0", "1", "2", "3"})
		case k < 37:
			st.conn, st.verb, st.what = 0, "pass", "time"
		case k < 50:
			st.verb, st.what = "join", pick(rooms)
		case k < 56:
			st.verb, st.what = "leave", pick(rooms)
		case k < 59:
			st.verb, st.what = "unsubscribe", pick(rooms)
		case k < 86:
			st.verb, st.what = "say", pick(rooms)
		case k < 105:
			st.verb, st.what = "tell", pick(people)
		case k < 118:
			st.verb = "wait"
		case k < 120:
			st.conn, st.verb, st.what = 0, pick([]string{"ban", "unban", "unban", "delete"}), pick(people)
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
// first. The error says how the shortest one failed. It runs a limited number of scripts.
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
