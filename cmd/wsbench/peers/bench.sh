#!/bin/sh
# bench.sh DIR: measures hawser beside the other libraries and writes results, a
# table and a page into DIR. Run it by "make bench-peers", "make bench" or "make
# bench-table". To look at some servers or loads only: PEERS="gws gorilla"
# LOADS="echo1 idle".
set -eu
out=${1:?"usage: bench.sh DIR"}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-2}
here=cmd/wsbench/peers
mkdir -p "$out"

set -- --a 'hawser=bin/wsecho --listen 127.0.0.1:{port}'
for lib in ${PEERS-coder fasthttp gobwas gorilla gws nbio nbio-blocking nbio-mixed xnet node-ws}; do
	case $lib in
	node-ws)
		[ -d $here/node/node_modules/ws ] || { echo "bench: npm's ws is not installed: left out"; continue; }
		set -- "$@" --server "node-ws=node $here/node/server.mjs --port {port}" ;;
	*) set -- "$@" --server "$lib=bin/peers -lib $lib -addr 127.0.0.1:{port}" ;;
	esac
done
set -- "$@" --rounds "$rounds" --warmup 500ms --duration "${seconds}s"

files=
for load in ${LOADS-echo1 echo16 rate fanout idle}; do
	case $load in
	echo1) what="echo --conns 1000 --inflight 1" ;;
	echo16) what="echo --conns 1000 --inflight 16" ;;
	echo10k) what="echo --conns 10000 --size 1024 --inflight 1" ;;
	echo2) what="echo --conns 2 --inflight 1" ;;
	echo18k) what="echo --conns 18000 --inflight 1" ;;
	rate) what="echo --conns 1000 --rate ${RATE:-10000}" ;;
	fanout) what="fanout --conns 1000 --inflight 1 --at ws://127.0.0.1:{port}/fanout" ;;
	fanout16) what="fanout --conns 1000 --inflight 16 --at ws://127.0.0.1:{port}/fanout" ;;
	fanout10k) what="fanout --conns 10000 --inflight 1 --at ws://127.0.0.1:{port}/fanout" ;;
	idle) what="idle --conns ${IDLE:-15000} --hold 1s" ;;
	idle3k) what="idle --conns 3000 --hold 3s" ;;
	idle18k) what="idle --conns 18000 --hold 3s" ;;
	connect) what="connect --conns 50 --inflight 1" ;;
	*) echo "bench: no load $load" >&2; exit 2 ;;
	esac
	# 1 is a server that failed in some round: the table says so.
	bin/wsbench compare $what "$@" --json "$out/$load.json" >"$out/$load.txt" || [ $? = 1 ]
	cat "$out/$load.txt"
	files="$files $out/$load.json"
done
bin/wsbench report --html "$out/index.html" --markdown "$out/table.md" --svg "$out" $files
echo "bench: $out/index.html and $out/table.md"
