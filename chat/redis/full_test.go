package redis

import (
	"fmt"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// In a full Redis nothing is stored, neither in a conversation that has begun nor in a new one.
func TestFull(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	say(t, e, lobby, "1")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	for _, c := range []chat.Conversation{lobby, attic, chat.PrivateConversation("u_ada", "u_bob")} {
		if r := try(e, c, "2", ""); r.Err == nil {
			t.Errorf("%s: stored", c)
		}
	}
}

// What a full Redis has can be read, also where it must be at replicas.
func TestReadsWhenFull(t *testing.T) {
	server := redistest.Start(t)
	redistest.Start(t, redistest.Config(fmt.Sprintf("replicaof 127.0.0.1 %d", server.Port)))
	e := open(t, Config{Addresses: []string{server.Addr}, Ack: Ack{Replicas: 1}, PresenceTTL: time.Hour})
	insist(t, e, lobby, "1")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	for _, writes := range []bool{false, true} {
		e.store.waitaof = writes // as from Redis 7.2 on
		canRead(t, e, lobby)
	}
}
