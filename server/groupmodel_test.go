package server

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Connections join and leave many groups, which become empty and are used again, and
// everybody receives what a model that only knows sets says.
func TestGroupModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const conns, groups, steps = 6, 5, 3000
	opened := make(chan Conn, 1)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	cs, hs := openMany(t, ts, opened, conns)
	real := make([]*Group, groups)
	model := make([]map[int]bool, groups)
	for g := range real {
		real[g], model[g] = ts.NewGroup(), map[int]bool{}
	}
	for step := range steps {
		c, g := random.IntN(conns), random.IntN(groups)
		switch random.IntN(4) {
		case 0, 1:
			real[g].Join(hs[c])
			model[g][c] = true
		case 2:
			if random.IntN(20) == 0 { // everybody leaves
				for i := range hs {
					real[g].Leave(hs[i])
				}
				clear(model[g])
			}
			real[g].Leave(hs[c])
			delete(model[g], c)
		case 3:
			said := fmt.Sprint("step ", step)
			real[g].Send(text(said), Evict)
			for i := range model[g] {
				cs[i].expect(fmt.Sprintf("text %q", said))
			}
		}
		if step%500 == 499 { // one ends, and another one comes, into the same slot perhaps
			cs[c].nc.Close()
			waitFor(t, func() bool { return ts.Stats().Open == conns-1 })
			for g := range model {
				delete(model[g], c)
			}
			cs[c] = ts.dial(t, "/")
			hs[c] = receive(t, opened)
		}
	}
	for i := range hs {
		for g := range real {
			real[g].Leave(hs[i])
		}
		hs[i].SendPrepared(text("end"))
		cs[i].expect(`text "end"`)
	}
	ts.clock.settle()
	for _, l := range ts.loops {
		if in := len(l.groups.list) - len(l.groups.free); in != 0 || len(l.groups.list) > groups {
			t.Errorf("loop %d: %d groups have members, in a list of %d", l.index, in, len(l.groups.list))
		}
	}
}

// A run of messages to a group costs no allocation for a member.
func TestDeliveryDoesNotAllocate(t *testing.T) {
	const members = 200
	opened := make(chan Conn, members)
	ts := start(t, Config{Loops: 1, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}, newKernel: blackHole})
	g := ts.NewGroup()
	_, hs := openMany(t, ts, opened, members)
	for _, h := range hs {
		g.Join(h)
	}
	l := ts.loops[0]
	one := task{kind: taskGroup, group: g.loops[0], m: text("told")}
	allocs := make(chan float64, 1)
	l.post(task{kind: taskCall, call: func() {
		allocs <- testing.AllocsPerRun(100, func() {
			l.sendGroup([]task{one})
			l.sendGroup([]task{one, one, one})
			l.flush()
		})
	}}, nil)
	if got := receive(t, allocs); got > 1 {
		t.Errorf("%v allocations for two runs of messages to %d members", got, members)
	}
}

// blackHole is a kernel that takes everything that is written, once the members are there.
func blackHole() (kernel, error) {
	k, err := testKernel()
	return &taking{kernel: k}, err
}

type taking struct{ kernel }

func (k *taking) write(fd int, p []byte) (int, error) {
	if len(p) < 40 && p[0] == 0x81 {
		return len(p), nil
	}
	return k.kernel.write(fd, p)
}
