# `make testnet` and `make test` are all that a new user needs.

SHELL := /bin/bash

# One way to build, so that everything shares one cache: static, since the image
# has nothing but the binary.
export CGO_ENABLED = 1
TAGS     := netgo osusergo
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS  := -s -w -X main.version=$(VERSION)
UNAME    := $(shell uname -s)
ifeq ($(UNAME),Linux)
LDFLAGS  += -linkmode external -extldflags "-static"
endif

BIN      := bin/meshsec
IMAGE    ?= meshsec:dev
FUZZTIME ?= 20s

.PHONY: all build testnet test bench lint generate fuzz nightly image image-multistage clean

all: build

build: ## the binary, in bin
	go build -trimpath -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/meshsec

testnet: build ## a mesh of three chains on this machine, until Ctrl-C
	$(BIN) testnet up

test: ## vet and all tests, with the race detector
	go vet ./...
	go test -race ./...

lint: ## formatting, vet, staticcheck
	@unformatted="$$(gofmt -l .)"; if [ -n "$$unformatted" ]; then echo "gofmt these files: $$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

bench: ## all benchmarks, with MESHSEC_BENCH_LARGE=1 a million liens too; docs/performance.md explains them
	go test -run '^$$' -bench . -benchmem ./...
	go test -run '^TestFreezeFollows' -count=1 -v ./node | grep epochs

generate: ## code and documents that are made from code
	go generate ./...
	go test ./node -run TestConfigurationReference -update
	go test ./p2p -run TestDocumentedConditionsAreTheTable -update
	go test ./cmd/meshsec -run 'TestCommandReference|TestScenarioPage' -update

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

nightly: lint ## what takes longer: every test twenty times, a million accounts against their twin, thousands of crashes, hundreds of schedules in which no honest validator may become slashable, and ten minutes for each fuzz target
	go test -race -count 20 -timeout 3h ./...
	MESHSEC_TWIN_ROUNDS=100 go test -count=1 -timeout 3h -run 'Twin|Commute|Whatever' ./store/ledger
	MESHSEC_SCHEDULES=500 go test -count=1 -timeout 3h -run NoHonest ./node
	MESHSEC_CRASH_ROUNDS=2000 MESHSEC_DAMAGE_ROUNDS=3 go test -count=1 -timeout 3h -run 'Kill|Damage' ./store
	$(MAKE) fuzz FUZZTIME=10m

image: build ## the image meshsec:dev; pulls nothing
	rm -rf bin/image && mkdir -p bin/image/data
	cp $(BIN) bin/image/meshsec
	docker build --quiet --tag $(IMAGE) --target local --file Dockerfile bin/image
	rm -rf bin/image

image-multistage: ## the same image without a Go toolchain; pulls golang
	docker build --tag $(IMAGE) --target built --build-arg VERSION='$(VERSION)' .

clean: ## what was built
	rm -rf bin
