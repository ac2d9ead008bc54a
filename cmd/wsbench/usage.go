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

var usage = `usage: wsbench SCENARIO --url URL [flags]
       wsbench SCENARIO [flags] + SCENARIO [flags] …
       wsbench find SCENARIO --url URL --threshold COND,… [flags]
       wsbench compare SCENARIO --a 'NAME=COMMAND…' --b 'NAME=COMMAND…' [flags]
       wsbench diff A.json B.json
       wsbench completion bash|zsh|fish
       wsbench --version
       wsbench report [--html FILE] [--markdown FILE] [--svg DIR] FILE.json…

Measures a WebSocket server: latency, throughput, what a message or a connection
costs it, and whether every message arrives once, whole and in order.

  wsbench echo --url ws://127.0.0.1:9001/ --conns 1000 --rate 20000 --html run.html
  wsbench fanout --url ws://127.0.0.1:9001/fanout --conns 5000 --rate 20 --pid 4711
  wsbench find echo --url ws://127.0.0.1:9001/ --threshold 'p99<10ms,lost=0'

Several scenarios with + between them run at once: when all connections are open, all
loads begin together. How long do those who talk wait while others come back?

  wsbench chat --url ws://127.0.0.1:8080/ws --rate 200 --duration 20s \
    + storm --scenario chat --url ws://127.0.0.1:8080/ws --conns 15000 --rooms 10

scenarios
  echo     each message comes back to its sender
  fanout   --publishers send to --conns receivers; also the latency until the last
           of them has a message
  slow     fanout in which --slow-share of the receivers barely read
  chat     hawser's chat: log in, join rooms of --room-size, talk (set the server's
           --limits.guests-per-minute, --limits.address-requests-per-second,
           --limits.connections-per-address and --limits.messages-per-second to 0)
  login    --conns people log in and join their rooms, --at-once at a time: rate,
           latency, and what it costs the server
  idle     connections are held: memory of the server and the kernel for each; with a
           --scenario that has rooms, also for joining them
  connect  opening handshakes: rate and latency; --conns at a time
  churn    connections come, exchange --messages, and go
  replay   what a --recording has is sent again, by --conns connections
  storm    all connections break at once and come back, every --storm-every; with
           --scenario chat they resume their sessions, in --rooms
the load
  --conns N             connections (100)
  --inflight N          closed loop: each sender keeps N messages in flight
  --rate N              open loop: N messages (connect, churn: connections) per
                        second, by all together; latency counts from the time at
                        which each was due
  --stages D:N,…        open loop whose rate goes evenly to N within each D, from
                        --rate (0) on: '30s:1000,1m:10000,30s:0'
  --poisson             open loop, or --think, at irregular intervals, as many users
                        make them
  --think D             closed loop: each sender waits this long before its next message
  --size BYTES          of a message (128; at least 32, binary 24)
  --binary              binary messages instead of text
  --payload KIND        random or compressible (random)
  --duration D          measured (10s); --warmup D before it (1s)
  --timeout D           when no answer has come for this long, all messages without
                        one are lost (5s)
  --run TIME=COMMAND    run a shell command at that time of --duration, and mark it in
                        the report: an upgrade or a failover amid the load
  --publishers N        publishers in fanout and slow (1); with --no-self they do not
                        receive their own messages
  --scenario FILE       speak another protocol: centrifugo, socketio, chat,
                        chat-presence, or a file like these
  --rooms N             chat, login, idle, storm: each connection joins N rooms (1) of
                        --room-size (10)
  --at-once N           login: this many at a time (64); idle: this many join their
                        rooms at a time (all)
  --returning           login: by people who already have an account
  --recording FILE      replay: an HTTP archive (HAR), as browsers' developer tools
                        export it, or lines of JSON such as
                        {"at":1.5,"conn":"a","sent":"text"} with "received" in place of
                        "sent", seconds in "at", and base64 with "binary":true; --speed N
                        times as fast (1), connections beginning within --spread D (0s)
  --hold D              idle: wait this long before measuring memory (3s)
  --seed N              seed of filler and --poisson (1)
connecting
  --deflate             offer permessage-deflate
  --http2               on streams of HTTP/2 connections (RFC 8441), as many on each as
                        the server allows; each WebSocket takes some goroutines
` + connect.Help + `  --connect-timeout D   for one connection (10s)
  --source ADDR,…       source addresses (on loopback: as many as are needed)
A user and password in the URL are sent by Basic authentication, and are not kept
with the result. Agents use the proxy of their own environment.
workers
  --threads N           event loops of each process (one for each core)
  --processes N         processes (as many as the limit of open files requires); with
                        several processes or agents, fanout and slow are open loop
                        only, and the last receiver is not known
  --agent HOST,…        wsbench on other hosts, instead of this one; as ssh knows them
  --server-agent HOST   wsbench on the server's host, for --pid or --cgroup
  --agent-command CMD   how it is started there: a shell command in which {host} stands
                        for the host (ssh -o BatchMode=yes {host} wsbench agent)
  --max-clock-error D   clocks of two hosts must be known this exactly for one-way
                        latencies between them (1ms)
  --pid PID,…           the server's processes, or --cgroup DIR: CPU and memory
output
  --html FILE           a page with charts; --json FILE; --csv FILE
  --format FORMAT       of the report: text, json, or benchstat (text)
  --output json[=FILE]  a line of JSON for each sample, as it is taken; if it goes to
                        standard output, the report goes to standard error
  --prometheus FILE     metrics for the textfile collector of node_exporter, written
                        again with each sample
  --interval D          time between samples (1s)
  --threshold COND,…    what must hold ('p99<10ms,rate>=5000', or in the form of k6
                        'p(99)<10', in milliseconds): if it does not, or was not
                        measured, the exit status is 99
  --quiet               do not show progress

Conditions are METRIC OP VALUE, separated by commas. Metrics: p50 … p99.99, max,
mean (of latency; also last.p99, handshake.p99, late.p99, lag.p99, closing.p99,
back.max, token.p99, login.p99, join.p99), rate, connrate, lost, doubled,
reordered, corrupted, unsolicited, faults, refused, broken, postponed, cpu (server
CPU per message), conncpu (per connection), rss, idle and joins (bytes per
connection), client (the share of its cores that wsbench used).

exit status
  0  the run was completed, and nothing was wrong
  1  messages lost, doubled, out of order, corrupted or unsolicited; connections
     refused or broken
  2  wrong usage
  3  the run could not be done or completed, or its results could not be written
  99 nothing was wrong, but a --threshold does not hold
  130, 143, 129  interrupted by SIGINT, SIGTERM, SIGHUP: what was measured until
     then is reported and kept, marked as partial; a second signal ends it at once
`
