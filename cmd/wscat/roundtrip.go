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

// ping is the payload of a ping sent now.
func (t *roundTrips) ping(now time.Time) []byte {
	if len(t.waiting) == maxTrips {
		t.waiting = t.waiting[1:]
	}
	payload := strconv.FormatInt(now.UnixNano(), 10)
	t.waiting = append(t.waiting, trip{payload, now})
	return []byte(payload)
}

// pong says how long a ping took to be answered. ok is false for a payload that
// answers none of them.
func (t *roundTrips) pong(payload []byte, now time.Time) (took time.Duration, ok bool) {
	for i, w := range t.waiting {
		if w.payload == string(payload) {
			// 5.5.3: an endpoint "MAY elect to send a Pong frame for only the
			// most recently processed Ping frame": those before got none.
			t.waiting = t.waiting[i+1:]
			return now.Sub(w.sent), true
		}
	}
	return 0, false
}
