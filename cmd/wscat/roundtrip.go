package main

import (
	"strconv"
	"time"
)

// maxTrips is how many unanswered pings are remembered.
const maxTrips = 64

// roundTrips are the pings that have no answer yet, the oldest first.
type roundTrips struct{ waiting []trip }

type trip struct {
	payload string // the time in decimal Unix nanoseconds
	sent    time.Time
}

// ping returns the payload of a ping that is sent now.
func (t *roundTrips) ping(now time.Time) []byte {
	if len(t.waiting) == maxTrips {
		t.waiting = t.waiting[1:]
	}
	payload := strconv.FormatInt(now.UnixNano(), 10)
	t.waiting = append(t.waiting, trip{payload, now})
	return []byte(payload)
}

// pong returns how long the answer to a ping took. ok is false if the payload answers
// none of the pings.
func (t *roundTrips) pong(payload []byte, now time.Time) (took time.Duration, ok bool) {
	for i, w := range t.waiting {
		if w.payload == string(payload) {
			// 5.5.3: an endpoint "MAY elect to send a Pong frame for only the
			// most recently processed Ping frame": earlier ones get none.
			t.waiting = t.waiting[i+1:]
			return now.Sub(w.sent), true
		}
	}
	return 0, false
}
