//go:build unix

package redis

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// cpu is the processor time that a server's main thread and its others have used, in µs.
func cpu(b *testing.B, s *redistest.Server) (main, all float64) {
	info := s.Info("cpu")
	read := func(name string) float64 {
		f, err := strconv.ParseFloat(info[name], 64)
		if err != nil {
			b.Fatalf("%s is %q", name, info[name])
		}
		return f * 1e6
	}
	return read("used_cpu_user_main_thread") + read("used_cpu_sys_main_thread"), read("used_cpu_user") + read("used_cpu_sys")
}

func memory(b *testing.B, s *redistest.Server) float64 {
	f, err := strconv.ParseFloat(s.Info("memory")["used_memory"], 64)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// plainText is about the least that a publication takes: whether it is a repetition, its number, the
// log, and the doorbell.
var plainText = `
if redis.call('GET', KEYS[1]) then return 0 end
local n = redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', '1000', '*', 'm', ARGV[2])
redis.call('SET', KEYS[1], n, 'PX', '3600000')
redis.call('SPUBLISH', KEYS[4], ARGV[2])
return n`

// BenchmarkPublish prints what a publication of 300 bytes costs a Redis, by what the server does
// with its file, and by how many entries of a conversation are appended at a time. Beside it
// stands the plain script, so that ratios can be given however busy the machine is.
//
//	go test -run '^$' -bench Publish -benchtime 200000x ./chat/redis
func BenchmarkPublish(b *testing.B) {
	for _, log := range []string{"none", "everysec", "always"} {
		with := func(name string, publish func(e *Engine, sequencer, round int)) {
			b.Run("log="+log+"/"+name, func(b *testing.B) {
				var options []redistest.Option
				if log != "none" {
					options = append(options, redistest.AOF(log))
				}
				server := redistest.Start(b, options...)
				e := open(b, Config{Addresses: []string{server.Addr}, Messages: 1000})
				publications(b, server, func(sequencer, round int) { publish(e, sequencer, round) })
			})
		}
		content := strings.Repeat("x", 300)
		room := func(sequencer, round, i int) chat.Conversation {
			return chat.RoomConversation(fmt.Sprint("room-", sequencer, "-", (i+round*7)%500))
		}
		ref := func(sequencer, round, i int) string { return fmt.Sprint(sequencer, ".", round, ".", i) }
		for _, entries := range []int{1, 4, 16} {
			with(fmt.Sprintf("entries=%d", entries), func(e *Engine, sequencer, round int) {
				some := make([]chat.Entry, publishBatch)
				for i := range some {
					some[i] = chat.Entry{Conversation: room(sequencer, round, i/entries), Message: message("u_ada", content, ref(sequencer, round, i))}
				}
				e.store.Append(ctx, some, func(_ int, r chat.Result) {
					if r.Err != nil {
						b.Error(r.Err)
					}
				})
			})
		}
		plain := newScript(plainText)
		with("plain", func(e *Engine, sequencer, round int) {
			calls := make([]call, publishBatch)
			k := e.store.keys
			for i := range calls {
				c := room(sequencer, round, i)
				calls[i] = call{[]string{k.ref(c, "u_ada", ref(sequencer, round, i)), k.tailsOf(c), k.log(c), k.channel(c)}, []string{string(c), content}}
			}
			for _, r := range plain.runAll(ctx, e.client, calls) {
				if r.Error() != nil {
					b.Error(r.Error())
				}
			}
		})
	}
}

// publishBatch is how many messages are published at a time.
const publishBatch = 256

// publications has sequencers publish, a batch a round, until b.N.
func publications(b *testing.B, server *redistest.Server, publish func(sequencer, round int)) {
	const sequencers, batch = 8, publishBatch
	main, all := cpu(b, server)
	rounds := max(1, b.N/(sequencers*batch))
	b.ResetTimer()
	var wg sync.WaitGroup
	for s := range sequencers {
		wg.Go(func() {
			for round := range rounds {
				publish(s, round)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	n := float64(rounds * sequencers * batch)
	mainAfter, allAfter := cpu(b, server)
	b.ReportMetric(n/b.Elapsed().Seconds(), "publications/s")
	b.ReportMetric((mainAfter-main)/n, "µs-redis/publication")
	b.ReportMetric((allAfter-all)/n, "µs-redis-all/publication")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory prints what Redis keeps of a message of 300 bytes, of its ref while that is
// known, of a room with one short message, and of a room whose messages have gone.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		server := redistest.Start(b)
		e := open(b, Config{Addresses: []string{server.Addr}})
		const rooms, each = 100, 200
		fill := func(refs bool) float64 {
			before := memory(b, server)
			for room := range rooms {
				var some []chat.Entry
				for i := range each {
					ref := ""
					if refs {
						ref = fmt.Sprint("ref-", i)
					}
					some = append(some, chat.Entry{Conversation: chat.RoomConversation(fmt.Sprint("room-", room)), Message: message("u_0123456789ab", strings.Repeat("x", 300), ref)})
				}
				e.store.Append(ctx, some, func(int, chat.Result) {})
			}
			return (memory(b, server) - before) / rooms / each
		}
		fill(false)
		plain := fill(false)
		b.ReportMetric(plain, "B/message")
		b.ReportMetric(fill(true)-plain, "B/ref")

		const small = 20_000
		before := memory(b, server)
		for i := 0; i < small; i += 200 {
			var some []chat.Entry
			for j := range 200 {
				some = append(some, chat.Entry{Conversation: chat.RoomConversation(fmt.Sprint("small-", i+j)), Message: message("u_0123456789ab", "hello", "")})
			}
			e.store.Append(ctx, some, func(int, chat.Result) {})
		}
		e.store.flushRooms(ctx)
		b.ReportMetric((memory(b, server)-before)/small, "B/small-room")
		for i := range small {
			server.Do("DEL", e.store.keys.log(chat.RoomConversation(fmt.Sprint("small-", i))))
		}
		b.ReportMetric((memory(b, server)-before)/small, "B/empty-room")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkChannels prints what it costs Redis and a node to subscribe to conversations by a
// channel each, what they keep of each, and what a message costs Redis by how many nodes hear it.
func BenchmarkChannels(b *testing.B) {
	const conversations = 100_000
	for _, perPartition := range []bool{false, true} {
		b.Run(fmt.Sprintf("channel-per-partition=%t", perPartition), func(b *testing.B) {
			server := redistest.Start(b)
			e := open(b, Config{Addresses: []string{server.Addr}})
			heap := func() float64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return float64(m.HeapAlloc)
			}
			for b.Loop() {
				main, _ := cpu(b, server)
				kept, here, begin := memory(b, server), heap(), time.Now()
				var wg sync.WaitGroup
				channels := make(map[string]bool)
				for i := range conversations {
					c := chat.RoomConversation(fmt.Sprint("room-", i))
					if perPartition {
						channels[e.store.keys.in(partition(string(c)))+"c"] = true
					} else {
						channels[e.store.keys.channel(c)] = true
					}
				}
				for channel := range channels {
					wg.Go(func() { e.broker.listener.acquire(ctx, channel) })
				}
				wg.Wait()
				took := time.Since(begin)
				after, _ := cpu(b, server)
				b.ReportMetric((after-main)/conversations, "µs-redis/conversation")
				b.ReportMetric((memory(b, server)-kept)/conversations, "B-redis/conversation")
				b.ReportMetric((heap()-here)/conversations, "B-node/conversation")
				b.ReportMetric(took.Seconds(), "s-for-all")
				for channel := range channels {
					e.broker.listener.release(channel)
				}
				b.ReportMetric(0, "ns/op")
			}
		})
	}
	for _, nodes := range []int{0, 1, 3, 10, 100} {
		b.Run(fmt.Sprint("heard-by=", nodes), func(b *testing.B) {
			server := redistest.Start(b)
			var e *Engine
			for range max(1, nodes) {
				e = open(b, Config{Addresses: []string{server.Addr}, ProbeEvery: time.Hour, PresenceTTL: time.Hour})
				if nodes > 0 {
					attach(b, e, lobby)
				}
			}
			content := strings.Repeat("x", 300)
			main, _ := cpu(b, server)
			n := 0
			for b.Loop() {
				e.store.Append(ctx, []chat.Entry{{Conversation: lobby, Message: message("u_ada", content, "")}}, func(int, chat.Result) {})
				n++
			}
			after, _ := cpu(b, server)
			b.ReportMetric((after-main)/float64(n), "µs-redis/call")
		})
	}
}

// manyRooms makes rooms with one message each.
func manyRooms(e *Engine, n int) (rooms []chat.Conversation) {
	for i := range n {
		rooms = append(rooms, chat.RoomConversation(fmt.Sprint("room-", i)))
	}
	for some := range slices.Chunk(rooms, 500) {
		var entries []chat.Entry
		for _, c := range some {
			entries = append(entries, chat.Entry{Conversation: c, Message: message("u_ada", "x", "")})
		}
		e.store.Append(ctx, entries, func(int, chat.Result) {})
	}
	return rooms
}

// own is how much CPU time this process has used, in ms.
func own() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}

// BenchmarkProbe prints what a probe of 100,000 conversations costs Redis and a node, which does so
// every Config.ProbeEvery, and what Redis keeps of a conversation.
func BenchmarkProbe(b *testing.B) {
	server := redistest.Start(b)
	e := open(b, Config{Addresses: []string{server.Addr}})
	all := manyRooms(e, 100_000)
	main, _ := cpu(b, server)
	before, n := own(), 0
	for b.Loop() {
		e.store.Tails(ctx, all, func(_ int, t chat.Tail, err error) {
			if err != nil || t.Change != 1 {
				b.Fatal(t, err)
			}
		})
		n++
	}
	node := own() - before
	mainAfter, _ := cpu(b, server)
	b.ReportMetric((mainAfter-main)/1e3/float64(n), "ms-redis/probe")
	b.ReportMetric(node/float64(n), "ms-node/probe")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIdle prints what Redis and a node that subscribes to 100,000 conversations use while
// nothing happens: in percent of a core, over a minute that begins when the node has settled.
// Run it with -benchtime 1x.
func BenchmarkIdle(b *testing.B) {
	server := redistest.Start(b)
	e := open(b, Config{Addresses: []string{server.Addr}})
	attach(b, e, manyRooms(e, 100_000)...)
	time.Sleep(30 * time.Second)
	for b.Loop() {
		before, begin := own(), time.Now()
		main, _ := cpu(b, server)
		time.Sleep(time.Minute)
		mainAfter, _ := cpu(b, server)
		took := time.Since(begin)
		b.ReportMetric((own()-before)/10/took.Seconds(), "%-node")
		b.ReportMetric((mainAfter-main)/1e4/took.Seconds(), "%-redis")
	}
	b.ReportMetric(0, "ns/op")
}
