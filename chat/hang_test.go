package chat_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// hangingLog never stores what is said in one conversation.
type hangingLog struct {
	chat.Log
	stuck chat.Conversation
}

func (l hangingLog) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	for i := range entries {
		if entries[i].Conversation == l.stuck {
			<-ctx.Done()
			done(i, chat.Result{Err: fmt.Errorf("%w: %w", chat.ErrOutcomeUnknown, ctx.Err())})
			continue
		}
		l.Log.Append(ctx, entries[i:i+1], func(_ int, r chat.Result) { done(i, r) })
	}
}

// R06: where storing hangs for one conversation, those who write there are told within the
// time limit, and of all other conversations only those of the same sequencer wait.
func TestAppendHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		parts := newMemory(t, c)
		parts.Log = hangingLog{parts.Log, "r:stuck"}
		h := newHouseAt(t, c, func(cfg *chat.Config) {
			cfg.Engine, cfg.Limits, cfg.Sequencers = parts, chat.Limits{}, 8
		})
		began := time.Now()
		ada := h.enter("ada", `"ack"`)
		ada.say(`{"type":"group","receiver_id":"stuck","content":"x","ref":"s"}`)
		synctest.Wait()
		prompt := 0
		for i := range 40 {
			p := h.enter("bob", `"ack"`)
			p.say(fmt.Sprintf(`{"type":"group","receiver_id":"room-%d","content":"x"}`, i))
			synctest.Wait()
			if len(p.leftover()) == 2 { // the ack and the message
				prompt++
			}
		}
		if time.Since(began) > 0 {
			t.Errorf("%v have passed", time.Since(began))
		}
		if prompt < 20 { // 35 on average
			t.Errorf("%d of 40 other rooms are not delayed", prompt)
		}
		eve := h.enter("eve", "") // and log-ins and queries are not
		eve.say(`{"type":"history","receiver_id":"stuck"}`)
		if m := eve.hear(); !strings.Contains(m, `"messages":[]`) {
			t.Errorf("history: %s", m)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if m := ada.hear(); reasonOf(m) != "outcome_unknown" || !strings.Contains(m, `"ref":"s"`) {
			t.Errorf("ada heard %s", m)
		}
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("after %v", d)
		}
	})
}
