package enginetest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// regressions are scripts that failed once. What they do to an engine by chance differs each
// time: they are played several times.
var regressions = []string{
	// Eve's node began to read the conversation at its end, for her; but Bob was on it, too,
	// and had not heard himself.
	`4 open u_bob 0
	 4 tell u_eve
	 7 open u_eve 0`,
}

// testTwoHubs plays random scripts on two nodes of one engine, and holds what every
// connection was sent against the model. Where that fails, it prints the shortest script it
// finds that fails, to be put among the regressions.
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
// times, as what fails may depend on the order in which goroutines run.
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
