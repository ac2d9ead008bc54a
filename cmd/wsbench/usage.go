package main

import "github.com/hawser-ws/hawser/cmd/internal/connect"

// help is the text for a command line that asks for it.
func help(args []string) string {
	if len(args) > 0 {
		switch args[0] {
		case "compare":
			return compareUsage
		case "find":
			return findUsage
		}
	}
	return usage
}

const usage = `usage: wsbench SCENARIO --url URL [flags]
       wsbench find SCENARIO --url URL --slo CONDITIONS [flags]
       wsbench compare SCENARIO --a 'NAME=COMMAND…' --b 'NAME=COMMAND…' [flags]
       wsbench diff A.json B.json
       wsbench report [--html FILE] [--markdown FILE] [--svg DIR] FILE.json…
       wsbench agent --listen ADDRESS --token-file FILE

Measures a WebSocket server: latency, throughput, what a message or a connection
costs it, and whether every message arrives once, whole and in order.

  wsbench echo --url ws://127.0.0.1:9001/ --conns 1000 --rate 20000 --html run.html
  wsbench fanout --url ws://127.0.0.1:9001/fanout --conns 5000 --rate 20 --pid 4711
  wsbench find echo --url ws://127.0.0.1:9001/ --slo 'p99<10ms,lost=0'

scenarios
  echo     each message comes back to its sender
  fanout   what --publishers send goes to --conns receivers; last receiver, too
  slow     fanout in which --slow-share of the receivers barely read
  chat     hawser's chat: log in, join rooms of --room-size, talk (the server's
           --limits.guests-per-minute and others are to be 0)
  login    --conns people log in and join their rooms, --at-once at a time: rate,
           latency, and what it costs the server
  idle     connections are held; memory for each, of the server and the kernel;
           with a --scenario that has rooms, also for joining them
  connect  opening handshakes: rate and latency; --conns at a time
  churn    connections come, exchange --messages, and go
  storm    all connections break at once and come back, every --storm-every
the load
  --conns N             connections (100)
  --inflight N          closed loop: each sender keeps N messages in flight
  --rate N              open loop: N messages (connect, churn: connections) in a
                        second by all together; latency counts from the moment
                        at which each was due
  --poisson             open loop at irregular intervals, as many users make them
  --size BYTES          of a message (128; at least 29, binary 20)
  --binary              binary messages in place of text
  --payload KIND        random or compressible (random)
  --duration D          measured (10s); --warmup D before it (1s)
  --timeout D           what has not been answered when no answer has come for so
                        long is lost (5s)
  --publishers N        of fanout and slow (1); --no-self: they do not receive
                        their own messages
  --scenario FILE       speak another protocol: centrifugo, socketio, chat,
                        chat-presence, or a file like these
  --rooms N             of chat, login, idle: each connection joins N rooms (1) of
                        --room-size (10)
  --at-once N           login: so many at a time (64); idle: so many join their
                        rooms at a time (all)
  --returning           login: of people who have an account already
  --hold D              idle: rest so long before weighing (3s)
  --seed N              of filler and --poisson (1)
connecting
  --deflate             offer permessage-deflate
` + connect.Help + `  --connect-timeout D   for one connection (10s)
  --source ADDR,…       source addresses (on loopback: as many as are needed)
A user and password in the URL are sent by Basic authentication, and not kept with
the result. Agents look into their own environment for a proxy.
who does it
  --threads N           event loops of each process (one for each core)
  --processes N         processes (as many as their open files ask for); with
                        several, fanout and slow are open loop only, and do not
                        tell the last receiver, as with several agents
  --agent HOST:PORT,…   agents on other hosts, in place of this one
  --server-agent H:P    an agent beside the server, for --pid or --cgroup
  --token-file FILE     what the agents know too
  --max-clock-error D   one-way latencies between hosts need it (1ms)
  --pid PID,…           the server's processes, or --cgroup DIR: CPU and memory
what comes of it
  --html FILE           a page with pictures; --json FILE; --csv FILE
  --interval D          of the samples (1s)
  --fail-if CONDITIONS  exit with 1 if one of them holds ('p99>10ms,lost>0') or
                        was not measured
  --quiet               no progress

Conditions are METRIC OP VALUE with commas between. Metrics: p50 … p99.99, max,
mean (of latency; also last.p99, handshake.p99, late.p99, lag.p99, closing.p99,
back.max, token.p99, login.p99, join.p99), rate, connrate, lost, doubled, reordered, corrupted,
unsolicited, faults, refused, broken, postponed, cpu (of the server, a message),
conncpu (a connection), rss, idle and joins (bytes a connection), client (share of its cores that wsbench used).

exit status
  0  carried out, and nothing was wrong
  1  messages lost, doubled, out of order, corrupted or unsolicited; connections
     refused or broken; or --fail-if
  2  wrong usage
  3  not carried out, or not to its end; or what came of it could not be written
  130, 143, 129  interrupted by SIGINT, SIGTERM, SIGHUP: what was measured until
     then is reported and kept, marked as partial; a second signal ends it at once
`
