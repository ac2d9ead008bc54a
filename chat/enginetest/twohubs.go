package enginetest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// regressions are scripts that failed once. Their random effects on an engine differ each time, so
// they are played several times.
var regressions = []string{
	// Eve's node began to read the conversation at its end, for her; but Bob was on it, too,
	// and had not heard himself.
	`4 open u_bob 0
	 4 tell u_eve
	 7 open u_eve 0`,

	// Ada joined again, and was acknowledged at once, as her connection was in the room; but
	// another one of hers had left, and the report of that came after.
	`1 open u_ada 0
	 2 open u_ada 1
	 2 join cellar
	 1 leave cellar
	 2 join cellar`,

	// Ada's membership of a room without messages ended, and she was told that there is no such
	// room.
	`1 open u_ada 0
	 1 join lobby
	 1 unsubscribe lobby
	 1 wait
	 1 leave lobby`,

	// What Bob said in the conversation that Ada's client did not hold came before she was told
	// that it is new. She was gone again, held that message, and never got those before.
	`5 open u_bob 1
	 0 open u_ada 1
	 5 tell u_ada
	 0 close
	 5 tell u_ada
	 0 resume key 0
	 5 tell u_ada
	 0 close
	 5 tell u_ada
	 0 resume key 1`,

	// The notice of Eve's ban came late, when the ban was lifted already, and ended a session that
	// had begun since.
	`3 open u_eve 0
	 0 ban u_eve
	 3 logout own
	 5 open u_ada 0
	 0 unban u_eve
	 3 resume both 0`,

	// Ada was deleted while she logged out everywhere, and was told that the store does not work.
	`1 open u_ada 0
	 1 logout all
	 0 delete u_ada`,

	// Eve was banned while she logged out another session, and was told that hers had ended.
	`3 open u_ada 0
	 0 open u_eve 0
	 0 logout 3
	 0 ban u_eve`,

	// The session ended while the second connection logged in.
	`7 open u_bob 1
	 7 logout own
	 5 share 7 0`,

	// Two keys were issued for one, and the service accepted both, as it may: the first answer may
	// be the one that the client has.
	`6 open u_ada 0
	 2 share 6 1
	 2 close
	 2 resume before 0
	 2 close
	 2 resume stale 1`,
}

// testTwoHubs plays random scripts on two nodes of one engine, and compares what every connection
// was sent with the model. If that fails, it prints the shortest failing script it finds, which
// should be added to the regressions.
func testTwoHubs(h *house) {
	g := &stage{newPlace: h.newPlace, patience: patience}
	_, forget := h.Log.(forgetter)
	for _, text := range regressions {
		for range 5 {
			seed := rand.Uint64()
			if err := g.play(h.T, parseScript(text), seed); err != nil {
				h.Fatalf("seed %d: %v\nscript:\n%s", seed, err, text)
			}
		}
	}
	rounds := 20
	if h.place.Durable() { // it syncs
		rounds = 8
	}
	for range rounds {
		seed := rand.Uint64()
		s := randomScript(rand.New(rand.NewPCG(seed, 0)), 300, forget)
		if err := g.play(h.T, s, seed); err != nil {
			s, err = g.shortest(h.T, s, err, seed)
			h.Fatalf("seed %d: %v\nscript:\n%s", seed, err, s)
		}
	}
}

// shortest shrinks a script that has failed, for a minute at most. It plays each part several
// times, because the failure may depend on the order in which goroutines run.
func (g *stage) shortest(t *testing.T, s script, err error, seed uint64) (script, error) {
	quick := *g
	quick.patience = 2 * time.Second
	end := time.Now().Add(time.Minute)
	return shrink(s, err, func(s script) (err error) {
		for tries := 0; tries < 3 && err == nil && time.Now().Before(end); tries++ {
			err = quick.play(t, s, seed)
		}
		return err
	}, 300)
}
