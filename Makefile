# bgp-ovn. `make help` lists the targets.

GO ?= go
BIN := bin/bgp-ovn
LINT := $(GO) tool -modfile=tools/go.mod golangci-lint
# Packages whose tests need root and network namespaces; they run one package at
# a time, because they measure and because the machine may be small.
REAL := ./pkg/actual/... ./pkg/doctor/gather ./pkg/observe/... ./e2e/...

.DEFAULT_GOAL := default
.PHONY: default help build test unit real race lint demo lab bench cover fuzz clean deps

default: build unit ## build and run the tests that need neither root nor packages

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

build: ## build bin/bgp-ovn
	$(GO) build -o $(BIN) ./cmd/bgp-ovn

test: deps lint build ## install what is needed and run everything: lint, unit, contract, netns, e2e
	$(GO) test -timeout 20m ./cmd/... ./docs ./pkg/config/... ./pkg/desired/... ./pkg/doctor ./pkg/drivers/... ./pkg/reconcile/... ./state/...
	$(GO) test -timeout 30m -p 1 $(REAL)
	$(GO) test -run '^$$' -bench ManyVNIs -benchtime 1x -timeout 30m ./e2e/vm

unit: ## tests of the pure core
	$(GO) test ./cmd/... ./docs ./pkg/config/... ./pkg/desired/... ./pkg/doctor ./pkg/drivers/... ./pkg/reconcile/... ./state/...

real: deps build ## tests against the real kernel, OVN, OVS, FRR (root)
	$(GO) test -timeout 30m -p 1 $(REAL)

race: deps ## the pure core and the backends under the race detector
	$(GO) test -race -timeout 30m -p 1 ./cmd/... ./pkg/... ./state/...

lint: ## import rules, vet, staticcheck and friends
	$(LINT) run ./...

demo: build ## the main job on an embedded default; ends by itself
	$(GO) run ./e2e/demo -bin $(BIN)

lab: deps build ## the same on real OVN, OVS and FRR in namespaces; ends with Ctrl-C
	$(GO) run ./e2e/labrun -bin $(BIN)

bench: deps ## ratios against floors and peers measured in the same run
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 60m ./pkg/... ./e2e/bench ./e2e/vm

cover: deps ## coverage of everything, as text
	$(GO) test -p 1 -timeout 30m -coverpkg=./... -coverprofile=bin/cover.out ./... && $(GO) tool cover -func=bin/cover.out

fuzz: ## each fuzz target for a minute
	scripts/fuzz

deps:
	scripts/install-deps test

clean: ## remove what was built
	rm -rf bin
