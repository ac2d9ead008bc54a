//go:build linux

package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// seed returns the seed of a run: FAULTS_SEED, or a random one. It is printed.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := rand.Uint64()
	if text := os.Getenv("FAULTS_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("FAULTS_SEED: %v", err)
		}
	}
	t.Logf("FAULTS_SEED=%d", s)
	return s
}

// lasting sets the rounds of a plan to as many as fit into FAULTS_FOR, if that is set. Then
// there is also time to build a program whose clock can be wrong.
func (p plan) lasting(t *testing.T) plan {
	t.Helper()
	p.program = program
	text := os.Getenv("FAULTS_FOR")
	if text == "" {
		return p
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("FAULTS_FOR: %v", err)
	}
	p.breaking = 20 * time.Second
	p.program, p.skewed = skewedProgram(t), true
	p.rounds = max(1, int(d/(p.breaking+5*time.Second)))
	return p
}

// Three nodes that share a Redis. Its log is synced before anything is acknowledged, so that
// only FLUSHALL loses anything.
func TestCluster(t *testing.T) {
	t.Parallel() // they mostly wait
	p := plan{people: 8, devices: 2, rooms: 4, pace: 500 * time.Millisecond, rounds: 3, breaking: 8 * time.Second, flush: true}.lasting(t)
	redis := redistest.Start(t, redistest.AOF("always"))
	key := tokenKey(t)
	var nodes []*node
	for i := range 3 {
		relay := redistest.StartRelay(t, redis.Addr)
		nodes = append(nodes, newNode(t, p.program, fmt.Sprintf("n%d", i+1), t.TempDir(), relay,
			"--redis=redis://"+relay.Addr, "--redis-ack=disk", "--redis-history=100000", "--token-key-file="+key))
	}
	r := newRun(t, seed(t), p, nodes)
	r.store = r.redisBreakages(redis)
	r.do()
}

// tokenKey makes the key that nodes share.
func tokenKey(t *testing.T) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "token.key")
	if out, err := exec.Command(program, "new-key", key).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return key
}

// One node with its embedded store: it is killed, stopped and restarted, and its clients'
// connections are broken.
func TestOneNode(t *testing.T) {
	t.Parallel() // they mostly wait
	p := plan{people: 8, devices: 2, rooms: 4, pace: 500 * time.Millisecond, rounds: 2, breaking: 6 * time.Second}.lasting(t)
	newRun(t, seed(t), p, []*node{newNode(t, p.program, "n1", t.TempDir(), nil)}).do()
}
