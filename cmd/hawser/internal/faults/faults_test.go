//go:build linux

package faults

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
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

// lasting makes the rounds of a plan as many as fit into FAULTS_FOR, if that is set.
func (p plan) lasting(t *testing.T) plan {
	t.Helper()
	text := os.Getenv("FAULTS_FOR")
	if text == "" {
		return p
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("FAULTS_FOR: %v", err)
	}
	p.breaking = 20 * time.Second
	p.rounds = max(1, int(d/(p.breaking+5*time.Second)))
	return p
}

// One node with its embedded store: it is killed, stopped and restarted, and its clients'
// connections are broken.
func TestOneNode(t *testing.T) {
	p := plan{people: 8, devices: 2, rooms: 4, pace: 500 * time.Millisecond, rounds: 2, breaking: 6 * time.Second}.lasting(t)
	newRun(t, seed(t), p, []*node{newNode(t, "n1", t.TempDir(), nil)}, nil).do()
}
