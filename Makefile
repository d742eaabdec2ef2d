# isosocket: run make, or make help, for the list of targets.
#
# Needs Go, git, make and a C compiler (for the race detector). The tests also need wabt's
# wat2wasm, JavaScript engines, and nginx, HAProxy and Caddy. scripts/wabt.sh, scripts/engine.sh and
# scripts/proxy.sh find them, or install them: as root on Debian with apt-get; Node, Deno and Bun
# with npm.

GO ?= go

# Version of the checker. It is built once, for this machine, and is not a requirement of the
# module.
STATICCHECK_VERSION := v0.8.2
STATICCHECK := bin/staticcheck-$(STATICCHECK_VERSION)

# The checker of known vulnerabilities, likewise. Its database is on the network; VULNDB may name
# another one, such as file:///path.
GOVULNCHECK_VERSION := v1.9.0
GOVULNCHECK := bin/govulncheck-$(GOVULNCHECK_VERSION)
VULNDB ?= https://vuln.go.dev

# What writes the SBOM of a release, likewise.
CYCLONEDX_VERSION := v1.10.0
CYCLONEDX := bin/cyclonedx-gomod-$(CYCLONEDX_VERSION)

# The modules below this one, each with its own go.mod; their tests and checks run with the rest.
MODULES := $(patsubst %/go.mod,%,$(wildcard bench/go.mod examples/go.mod server/*/go.mod hub/*/go.mod))

# The engines of the tests and of the parity table; make parity ENGINE=firefox uses another one.
TEST_ENGINES := chromium firefox webkit node deno bun
ENGINE ?= $(TEST_ENGINES)
# Tests write the names of the engines that they ran in to this file.
RAN := $(CURDIR)/bin/engines.txt

WASM := GOOS=js GOARCH=wasm
DIST := cmd/isosocket/dist
ADDR ?= 127.0.0.1:8080

.DEFAULT_GOAL := help
.PHONY: help run run-cluster build reproducible test test-unit test-wasm test-e2e parity bench fuzz soak autobahn interop lint vulncheck release fmt cover mutation clean chromium engines proxies wabt FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build everything and start the demo server; ADDR=host:port, default 127.0.0.1:8080
	bin/isosocket serve -addr $(ADDR)

run-cluster: ## start a chat on three machines over NATS, behind a proxy; its page kills the machine that it is on
	cd examples && $(GO) run ./cluster -addr $(ADDR)

build: bin/isosocket ## build the wasm client and bin/isosocket, which contains it

# Go itself decides whether it is up to date. The same bytes come out in every folder: no path, no
# state of Git, and nothing from the C compiler of this machine.
bin/isosocket: FORCE $(DIST)/client.wasm.br $(DIST)/wasm_exec.js
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags=-buildid= -o $@ ./cmd/isosocket

# Embedded files are built in a temporary folder and moved into place, so that several makes can run
# at once.
# brotli takes seconds, so it runs only if the client has changed.
$(DIST)/client.wasm.br: FORCE
	@mkdir -p bin $(DIST)
	@rm -f $(DIST)/client.wasm
	@set -eu; made=$$(mktemp -d bin/client.XXXXXX); trap 'rm -rf "$$made"' EXIT; set -x; \
		$(WASM) $(GO) build -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -o "$$made/client.wasm" ./wasm; \
		gzip -9 -n -k "$$made/client.wasm"; \
		if ! [ -f $@ ] || ! cmp -s "$$made/client.wasm.gz" $(DIST)/client.wasm.gz; then \
			$(GO) run ./scripts/brotli <"$$made/client.wasm" >"$$made/client.wasm.br"; \
			mv "$$made/client.wasm.br" $@; mv "$$made/client.wasm.gz" $(DIST)/client.wasm.gz; \
		fi

# wasm_exec.js must come from the Go that compiled the client.
$(DIST)/wasm_exec.js: FORCE
	@mkdir -p bin $(DIST)
	@set -eu; made=$$(mktemp bin/wasm_exec.XXXXXX); cp "$$($(GO) env GOROOT)/lib/wasm/wasm_exec.js" "$$made"; mv "$$made" $@

reproducible: ## build bin/isosocket twice, in two folders and with empty caches, and compare
	@sh scripts/reproducible.sh

test: ## all tests, natively with -race and in the JavaScript engines; ends with the engines that ran
	@mkdir -p bin && rm -f $(RAN)
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-wasm
	@$(MAKE) --no-print-directory test-e2e
	@sh scripts/ran.sh $(RAN) $(TEST_ENGINES)

test-unit: wabt ## the tests that need no browser, natively, with the race detector
	$(GO) test -race -timeout 30m $$($(GO) list ./... | grep -v '/e2e$$')
	# Tests that the race detector disturbs: counts of allocations, and a herd of a thousand
	# clients.
	$(GO) test -timeout 10m -run 'Alloc|TestHerd' . ./internal/rfc6455 ./internal/stream
	@set -e; for module in $(filter-out examples,$(MODULES)); do (set -x; cd $$module && $(GO) test -race -timeout 30m ./...); done

# -count=1: the tests compile the browser tests themselves, which Go's test cache does not see.
test-wasm: chromium engines ## the packages' tests compiled to WebAssembly, in Chromium
	ENGINE="$(TEST_ENGINES)" ISOSOCKET_ENGINES=$(RAN) $(GO) test -count=1 -timeout 30m -run '^(TestHarness|TestWasm)' ./e2e

test-e2e: chromium engines proxies build ## the demo in browsers against the native server, and the rest of e2e
	ENGINE="$(TEST_ENGINES)" ISOSOCKET_ENGINES=$(RAN) $(GO) test -count=1 -timeout 30m -skip '^(TestHarness|TestWasm)' ./e2e
	cd examples && $(GO) test -count=1 -timeout 30m ./...

parity: ## the parity table, one column per engine; ENGINE=firefox for one; results as JSON in parity/
	@$(GO) test -list '^TestParity$$' ./e2e | grep -q '^TestParity$$' || { echo "parity: e2e has no TestParity" >&2; exit 1; }
	@for engine in $(ENGINE); do sh scripts/engine.sh $$engine >/dev/null || exit 1; done
	@ENGINE="$(ENGINE)" PARITY_PLACES=all PARITY_DIR=$(CURDIR)/parity $(GO) test -race -count=1 -timeout 60m -v -run '^TestParity$$' ./e2e

bench: ## measure this library against its peers, in the module bench
	cd bench && $(GO) run .

# How long each fuzz target runs, and a pattern of the names of those that do.
FUZZTIME ?= 1m
FUZZ ?= .

fuzz: ## every fuzz target, for FUZZTIME (1m) each; FUZZ=Origin for those with that in their names
	sh scripts/fuzz.sh $(FUZZTIME) '$(FUZZ)'

interop: ## other clients, servers and proxies in both roles; writes docs/interop.md
	@GO="$(GO)" sh scripts/interop.sh -document ../docs/interop.md

autobahn: ## the Autobahn|Testsuite in both roles, if it is installed, compared with docs/autobahn.json; takes long
	@GO="$(GO)" sh scripts/autobahn.sh

# How long the clients of soak run, and how many they are; the browsers; and a folder of documentation
# that gets the figures, such as docs.
SOAKTIME ?= 10m
CLIENTS ?= 10000
SOAKENGINES ?= chromium firefox webkit
SOAKWRITE ?=
SOAKFIGURES := $(CURDIR)/bin/soak-figures

soak: ## CLIENTS (10000) of all kinds for SOAKTIME (10m), and browsers: nothing is lost, and nothing grows
	@mkdir -p bin && rm -rf $(SOAKFIGURES)
	@for engine in $(SOAKENGINES); do sh scripts/engine.sh $$engine >/dev/null || true; done
	ENGINE="$(SOAKENGINES)" ISOSOCKET_SOAK_MESSAGES=200000 ISOSOCKET_SOAK_RECONNECTS=2000 ISOSOCKET_SOAK_FIGURES=$(SOAKFIGURES) \
		$(GO) test -count=1 -timeout 60m -v -run '^TestSoak$$' ./e2e
	$(GO) build -o bin/soak ./internal/testing/soak
	bin/soak -clients $(CLIENTS) -time $(SOAKTIME) -browsers $(SOAKFIGURES) -write "$(SOAKWRITE)"

# What the files of other systems and of 32 bits are checked for.
OTHER_TARGETS := windows/amd64 darwin/arm64 linux/386

lint: $(STATICCHECK) ## gofmt, vet and staticcheck on both targets, import rules, shell syntax
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt: not formatted:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(WASM) $(GO) vet -tags=callbacks ./...
	@set -e; for target in $(OTHER_TARGETS); do (set -x; CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) vet ./...); done
	$(STATICCHECK) ./...
	$(WASM) $(STATICCHECK) -tags=callbacks ./...
	@set -e; for module in $(MODULES); do (set -x; cd $$module && $(GO) vet ./... && $(CURDIR)/$(STATICCHECK) ./...); done
	cd examples && $(WASM) $(GO) vet ./... && $(WASM) ../$(STATICCHECK) ./...
	scripts/imports.sh
	@for script in scripts/*.sh; do sh -n $$script; done; bash -n .ci/run

$(STATICCHECK):
	@mkdir -p bin/install
	GOBIN=$(CURDIR)/bin/install $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv bin/install/staticcheck $@ && rmdir bin/install

# The peers that bench measures are not part of what anyone imports.
vulncheck: $(GOVULNCHECK) ## known vulnerabilities in code that is called, by govulncheck; needs https://vuln.go.dev
	$(GOVULNCHECK) -db $(VULNDB) ./...
	$(WASM) $(GOVULNCHECK) -db $(VULNDB) ./...
	@set -e; for module in $(filter-out bench,$(MODULES)); do (set -x; cd $$module && $(CURDIR)/$(GOVULNCHECK) -db $(VULNDB) ./...); done

$(GOVULNCHECK):
	@mkdir -p bin/install-govulncheck
	GOBIN=$(CURDIR)/bin/install-govulncheck $(GO) install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv bin/install-govulncheck/govulncheck $@ && rmdir bin/install-govulncheck

release: $(CYCLONEDX) ## the files of the release VERSION=v0.1.0, which is the tag checked out, in bin/release
	sh scripts/release.sh "$(VERSION)" $(CYCLONEDX)

$(CYCLONEDX):
	@mkdir -p bin/install-cyclonedx
	GOBIN=$(CURDIR)/bin/install-cyclonedx $(GO) install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION)
	@mv bin/install-cyclonedx/cyclonedx-gomod $@ && rmdir bin/install-cyclonedx

fmt: ## format all Go files
	gofmt -w .

# The programs that the end-to-end tests build and start are built with -cover, too, by GOFLAGS.
COVERAGE := $(CURDIR)/bin/coverage
COVERFLAGS := -cover -covermode=atomic -coverpkg=github.com/isosocket/isosocket/...

# Also fail for statements that no test reached and for which no reason is written; empty for floors only.
EXPLAIN ?= -explain

cover: chromium proxies wabt ## coverage by all tests, natively and in Chromium; writes docs/coverage.md, and fails below the floors
	@rm -rf $(COVERAGE) && mkdir -p $(COVERAGE)/native $(COVERAGE)/wasm $(COVERAGE)/programs
	$(GO) test $(COVERFLAGS) -timeout 30m $$($(GO) list ./... | grep -v '/e2e$$') -args -test.gocoverdir=$(COVERAGE)/native
	@$(MAKE) --no-print-directory build
	$(GO) test -c -o $(COVERAGE)/e2e.test ./e2e
	cd e2e && GOFLAGS="$(COVERFLAGS)" GOCOVERDIR=$(COVERAGE)/programs ISOSOCKET_COVERDIR=$(COVERAGE)/wasm ENGINE=chromium \
		$(COVERAGE)/e2e.test -test.timeout 30m -test.skip '^TestHarness'
	$(GO) run ./internal/testing/coverage $(EXPLAIN) -write docs/coverage.md native=$(COVERAGE)/native wasm=$(COVERAGE)/wasm programs=$(COVERAGE)/programs

# How many mutants, and what draws them.
MUTANTS ?= 200
SEED ?= 1

mutation: ## change the codec and the closing handshake in MUTANTS (200) places, and list what no test notices
	$(GO) run ./internal/testing/mutation -n $(MUTANTS) -seed $(SEED) -write docs/coverage.md

clean: ## remove what was built, and the reports of tests
	rm -rf bin parity e2e/screenshots
	find $(DIST) -mindepth 1 ! -name .gitkeep -delete

chromium:
	@sh scripts/chromium.sh >/dev/null

# A missing engine is named again after the tests; scripts/ran.sh then fails if all engines are
# required.
engines:
	@mkdir -p bin
	@for engine in $(TEST_ENGINES); do sh scripts/engine.sh $$engine >/dev/null || true; done

proxies:
	@set -e; for proxy in nginx haproxy caddy; do sh scripts/proxy.sh $$proxy >/dev/null; done

wabt:
	@sh scripts/wabt.sh >/dev/null

FORCE:
