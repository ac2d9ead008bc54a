# make run     build and start the chat server on http://127.0.0.1:8080
# make cluster the same three times on one Redis, behind nginx, on free ports of this machine
# make test    run every test, after installing what they need
# make build   put every program into bin/
# make lint    gofmt, go vet (for macOS and Windows too), staticcheck, and the layering
# make race    the core's tests under the race detector
# make fuzz    run every fuzz target for FUZZTIME each (default 30s)
# make conformance  our servers and our client through all cases, against golden verdicts
# make autobahn     the same through the original suite's Docker image, where Docker is
# make peers        build other libraries' servers: bin/peers
# make peers-table  other servers and clients, and ours, through all cases: tables and pages
# make site         the same, the benchmark's plots and the handbook as a static site: dist/site
# make dist         static archives of every program, with checksums, in dist/archives
# make faults  CPU, latency, memory and long runs, and attacks: prints what it measured (8 minutes)
# make faults-cluster  three nodes and their Redis, broken under random clients, for FAULTS_FOR=30m; the same with failovers
# make soak    SOAK=30m CONNS=15000: a server under churn ends as it began
# make scale   CONNS=200000: so many connections, on several processes
# make mutate  break chosen lines of the protocol, one at a time: a test must notice
# make bench-peers  measure hawser beside other libraries; writes dist/bench/
# make bench-table  the reactor's loads, of all sizes, beside the best of them (20 minutes)
# make bench   the same, and put the table and the plots into README.md

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
NODE = cmd/hawser/testdata/node
PEERS_DIR = cmd/wsbench/peers

.PHONY: run cluster build test tools race fuzz faults faults-cluster soak scale mutate bench bench-peers bench-table peers conformance autobahn peers-table site dist lint layers clean

run: build
	bin/hawser serve --listen 127.0.0.1:8080 --data data

cluster:
	$(GO) build -o bin/ ./cmd/hawser
	$(GO) build -o bin/cluster .ci/cluster.go
	@exec bin/cluster

build:
	$(GO) build -o bin/ ./cmd/...

# For a package; on a machine that has much else to do it may take ten times as long.
PATIENCE = -timeout 30m
test: build tools
	{ $(GO) test -json $(PATIENCE) ./...; cd $(PEERS_DIR) && $(GO) test -json $(PATIENCE) ./...; } | $(GO) run .ci/report.go

# What tests need beside Go: the browsers, WebKit's with a screen that shows nothing,
# Node, Prometheus with its promtool, Redis, nginx and HAProxy. A browser that is only a snap's stub does not count: the tests
# look for it themselves.
tools:
	@.ci/need chromium,google-chrome,google-chrome-stable,chromium-browser=chromium \
		firefox-esr,firefox=firefox-esr WebKitWebDriver=webkit2gtk-driver Xvfb=xvfb node=nodejs npm=npm prometheus=prometheus \
		redis-server,valkey-server=redis-server nginx=nginx haproxy=haproxy
	@for package in $(NODE)/node_modules/ws $(PEERS_DIR)/node/node_modules/ws $(PEERS_DIR)/node/node_modules/socket.io $(PEERS_DIR)/node/node_modules/undici; do \
		if command -v npm >/dev/null 2>&1 && [ ! -d $$package ]; then \
			(cd $${package%/node_modules/*} && npm install --no-package-lock --no-audit --no-fund --silent) || echo "tools: npm could not install $$package"; fi; done

# The tests of damaged stores make bbolt follow broken offsets, which -race's checks of
# pointers cannot survive, while a fault of memory is recovered from.
race:
	$(GO) test -race -short -gcflags=go.etcd.io/bbolt=-d=checkptr=0 ./frame ./wsproto ./handshake ./server ./chat/...

FUZZTIME ?= 30s
fuzz:
	@for pkg in ./fuzz ./chat; do \
		for target in $$($(GO) test $$pkg -list '^Fuzz' | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test $$pkg -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x || exit 1; \
		done; \
	done

# Rows of inputs and faults that a test by the clock cannot show. Both ends run here:
# with nice, others notice little.
FAULTS = $(GO) test -tags faults -count=1 -v ./server
faults:
	$(FAULTS) -timeout 20m -run '^TestFault'
	$(GO) test -tags faults -count=1 -v -timeout 20m -run '^TestAttack$$' ./cmd/hawser
	$(GO) test -tags faults -count=1 -v -timeout 20m -run '^TestFaultUpgrade$$' ./cmd/wsecho
	$(GO) test -tags faults -count=1 -v -timeout 60m -run '^TestFault(Redis)?Upgrade$$' ./cmd/hawser

# With the seed that a run has printed, the same things are broken in the same order.
faults-cluster: export FAULTS_FOR ?= 30m
faults-cluster: tools
	$(GO) test -tags faults -count=1 -v -timeout 0 -run '^Test(Cluster|Failover)$$' ./cmd/hawser/internal/faults

soak: export SOAK ?= 30m
soak: export CONNS ?= 15000
soak:
	$(FAULTS) -timeout 0 -run '^TestSoak$$'

scale: export CONNS ?= 200000
scale: build
	$(FAULTS) -timeout 0 -run '^TestScale$$'

mutate:
	$(GO) run .ci/mutate.go

# ROUNDS, LOADS and PEERS choose what is measured: see cmd/wsbench/peers/bench.sh.
peers: build tools
	cd $(PEERS_DIR) && $(GO) build -o ../../../bin/peers ./serve && $(GO) build -o ../../../bin/conform ./conform

bench-peers: peers
	$(PEERS_DIR)/bench.sh dist/bench

# Echo and fan-out of every size, memory at two sizes, arrivals, and 2 connections
# beside 18,000.
bench-table: export LOADS = echo1 echo16 echo10k fanout fanout16 fanout10k idle3k idle18k connect echo2 echo18k
bench-table: export PEERS ?= gobwas gorilla gws nbio
bench-table: peers
	$(PEERS_DIR)/bench.sh dist/bench-table

bench: bench-peers
	bin/wsbench report --readme README.md --svg cmd/wsbench/plots $$(ls -tr dist/bench/*.json)

# An earlier verdict that is better fails the run. The three ports are ours.
conformance: build
	bin/wsconform server --url ws://127.0.0.1:9311/ --exec 'bin/wsecho --listen 127.0.0.1:9311 --deflate' \
		--agent wsecho --strict --baseline autobahn/testdata/hawser-server.json --out dist/conformance
	bin/wsconform server --url ws://127.0.0.1:9313/ --exec 'bin/wsecho --blocking --listen 127.0.0.1:9313 --deflate' \
		--agent blocking --strict --baseline autobahn/testdata/hawser-server.json --out dist/conformance
	bin/wsconform server --url ws://127.0.0.1:9313/ --exec 'bin/wsecho --blocking --listen 127.0.0.1:9313 --deflate' --cases http2 \
		--agent http2 --strict --baseline autobahn/testdata/hawser-http2.json --out dist/conformance
	bin/wsconform client --listen 127.0.0.1:9312 --exec 'bin/wsechoclient --url ws://127.0.0.1:9312 --agent client --parallel 8' \
		--strict --baseline autobahn/testdata/hawser-client.json --out dist/conformance
	bin/wsconform client --listen 127.0.0.1:9312 --exec 'bin/wsechoclient --reactor --url ws://127.0.0.1:9312 --agent reactor --parallel 8' \
		--strict --baseline autobahn/testdata/hawser-client.json --out dist/conformance

autobahn: build
	.ci/original

# What chooses the peers stands in .ci/peers-table.
peers-table: peers
	.ci/peers-table

# Verdicts that "make peers-table" left are taken as they are.
site: build
	@[ -d dist/peers ] || $(MAKE) peers-table
	bin/site --out dist/site --version "$$(git describe --tags --always --dirty)"

dist:
	.ci/dist

# What other systems vet, tests included; the tests of the rest want Linux, as
# wsbench does itself.
PORTABLE = ./frame ./wsproto/... ./handshake ./server ./chat ./chat/bolt ./autobahn/... ./cmd/hawser ./cmd/wsecho ./cmd/wscat ./cmd/wsconform/...
lint: layers
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	$(GO) vet ./...
	$(GO) vet -tags faults ./server ./chat/bolt ./cmd/hawser ./cmd/hawser/internal/faults ./cmd/wsecho
	cd $(PEERS_DIR) && $(GO) vet ./...
	@for os in darwin windows; do \
		echo "GOOS=$$os $(GO) vet $(PORTABLE)"; \
		GOOS=$$os $(GO) build $$($(GO) list ./... | grep -v /cmd/wsbench) && GOOS=$$os $(GO) vet $(PORTABLE) || exit 1; done
	GOARCH=386 $(GO) build ./...
	$(GO) run $(STATICCHECK) ./...

layers:
	@$(GO) run .ci/layers.go

clean:
	rm -rf bin data dist $(NODE)/node_modules $(PEERS_DIR)/node/node_modules
