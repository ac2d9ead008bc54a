package redis

import (
	"sync/atomic"
	"testing"
	"time"
)

// Channels that are left and listened to again, by several at once, are heard; and as nothing
// was missed, nothing is looked for.
func TestListenAgain(t *testing.T) {
	e := open(t, Config{Addresses: []string{startRedis(t)}})
	var heard, gaps atomic.Int64
	l := newListener(&e.cfg, e.store.client, "x", func(string, string) { heard.Add(1) }, func(time.Time) { gaps.Add(1) })
	defer l.close()
	for i := range 300 {
		const channel = "{0}again"
		if err := l.acquire(ctx, channel); err != nil {
			t.Fatal(err)
		}
		if i%5 > 0 {
			before := heard.Load()
			if err := e.store.client.Do(ctx, e.store.client.B().Spublish().Channel(channel).Message("word").Build()).Error(); err != nil {
				t.Fatal(err)
			}
			await(t, "the message", func() bool { return heard.Load() == before+1 })
		}
		l.release(channel)
	}
	if n := gaps.Load(); n > 0 {
		t.Errorf("%d times something was thought missed", n)
	}
}
