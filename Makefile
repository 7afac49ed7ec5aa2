# bgp-ovn. `make help` lists the targets.

GO ?= go
BIN := bin/bgp-ovn
LINT := $(GO) tool -modfile=tools/go.mod golangci-lint
# Packages are tested two at a time: most of the long ones wait, for timers of BGP and
# for daemons, and none judges how long something took. JOBS=1 is for looking closer.
JOBS ?= 2
TEST := $(GO) test -p $(JOBS) -timeout 90m
# Packages whose tests need neither root nor what scripts/install-deps installs.
PURE := ./cmd/... ./docs ./internal/... ./pkg/adopt ./pkg/config/... ./pkg/control/... ./pkg/desired/... ./pkg/doctor \
	./pkg/drivers/... ./pkg/reconcile/... ./state/...
# Scenarios of the BGP driver that run once more with ovn_native_driver beside it, on this release of OVN.
BESIDE := -run '^Test(ProviderVM|Move|SecondRoundChangesNothing|RepairAndForeignState|DryRunWritesNothing)$$' ./e2e/scenarios
BESIDE_OVN := 25.03
# What takes longest comes first, so that it does not run alone at the end.
ALL := ./e2e/vm ./e2e/scenarios ./pkg/actual/bgp ./pkg/reconcile $$($(GO) list ./...)

.DEFAULT_GOAL := default
.PHONY: default help build test unit real race lint demo lab bench chaos packages image site soak cover fuzz clean deps

# The one program that all suites run. Its file is an input of their results: a new
# program is tested anew, and what nothing has changed for comes from go's cache.
export E2E_BGP_OVN := $(abspath $(BIN))

default: build unit ## build and run the tests that need neither root nor packages

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

build: ## build bin/bgp-ovn
	$(GO) build -tags "grpcnotrace nethttpomithttp2" -o $(BIN) ./cmd/bgp-ovn

test: deps lint build ## install what is needed and run everything: lint, unit, contract, netns, e2e
	$(TEST) $(ALL)
	E2E_BESIDE_NATIVE=$(BESIDE_OVN) $(TEST) $(BESIDE)

unit: ## tests of the pure core
	$(TEST) $(PURE)

real: deps build ## tests against the real kernel, OVN, OVS, FRR (root)
	$(TEST) ./e2e/... ./pkg/actual/... ./pkg/conn/... ./pkg/doctor/gather ./pkg/observe/...

race: deps ## the pure core and the backends under the race detector
	$(TEST) -race ./cmd/... ./internal/... ./pkg/... ./state/...

lint: ## import rules, vet, staticcheck and friends; dependencies are as the code needs them
	$(LINT) run ./...
	$(GO) mod tidy -diff
	$(GO) -C tools mod tidy -diff
	$(GO) -C tools/gobgpd mod tidy -diff
	$(GO) -C tools/nfpm mod tidy -diff
	$(GO) -C tools/sbom mod tidy -diff
	$(GO) -C tools/image mod tidy -diff
	$(GO) -C tools/helm mod tidy -diff

demo: build ## the main job on an embedded default; ends by itself
	$(GO) run ./e2e/demo -bin $(BIN)

lab: deps build ## the same on real OVN, OVS and FRR in namespaces; ends with Ctrl-C
	$(GO) run ./e2e/labrun -bin $(BIN)

bench: deps build ## one table of ratios to floors and peers of the same run, also in bin/bench.txt; latency of 100 binds
	$(GO) test -p 1 -run '^$$' -bench . -benchtime 1x -timeout 90m ./pkg/... ./state ./e2e/bench ./e2e/vm | \
		tee bin/bench.log | grep -a --line-buffered '^Benchmark'; true
	$(GO) run ./e2e/bench/table <bin/bench.log >bin/bench.txt; failed=$$?; cat bin/bench.txt; exit $$failed
	BINDS=100 $(GO) test -run '^TestBindLatency$$' -v -timeout 30m ./e2e/scenarios

chaos: deps build ## every proof of docs/reliability.md in full; counts in bin/reliability.txt
	PROOFS="$(PROOFS)" scripts/chaos

packages: ## deb and rpm for amd64 and arm64 into dist
	scripts/packages

image: ## OCI image for amd64 and arm64 into dist, without a daemon
	scripts/image

site: ## the documentation as a static site into dist/site
	scripts/site

soak: deps build ## 20 changes a second for an hour, or SOAK; table and curve in bin/soak.txt
	SOAK="$(or $(SOAK),60m)" SOAK_REPORT=$(abspath bin/soak.txt) $(GO) test -count=1 -v -timeout 24h -run '^TestProofSoak$$' ./e2e/soak

cover: deps build ## coverage of everything, as text
	$(TEST) -coverpkg=./... -coverprofile=bin/cover.out ./... && $(GO) tool cover -func=bin/cover.out

fuzz: ## each fuzz target for a minute, or FUZZTIME
	scripts/fuzz

deps:
	scripts/install-deps test

clean: ## remove what was built
	rm -rf bin
