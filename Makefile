# The targets that people and CI run. `make help` lists them.
GO ?= go
FUZZTIME ?= 20s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help test race lint fuzz bench build figures canary campaign campaign-full flood soak throughput

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

test: ## all tests
	$(GO) test ./...

race: ## all tests with the race detector
	$(GO) test -race ./...

build: ## every package
	$(GO) build ./...

lint: ## gofmt, go vet and staticcheck (its checks are named in staticcheck.conf)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "gofmt -w the files above"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

fuzz: ## every fuzz target, FUZZTIME each
	@GO=$(GO) .ci/fuzz $(FUZZTIME)

campaign: ## break a bot 20 times and count what is lost
	$(GO) run ./internal/campaign -kills 20 -events 3000 -rate 100
	$(GO) run ./internal/campaign -kills 20 -events 3000 -rate 100 -idempotent -seed 2

campaign-full: ## 200 kills and 50,000 events where the platform recognises a repeat, 200 kills where it does not
	$(GO) run ./internal/campaign -kills 200 -events 50000 -rate 500 -idempotent -timeout 40m
	$(GO) run ./internal/campaign -kills 200 -events 20000 -rate 200 -timeout 40m

flood: ## 10,000 messages a second from one user and one a second from twenty others
	$(GO) run ./internal/campaign -flood

soak: ## a million events, remembered for a day and for 10 s: does memory grow?
	$(GO) run ./internal/campaign -soak 1000000 -timeout 30m
	$(GO) run ./internal/campaign -soak 1000000 -window 10s -timeout 30m

throughput: ## durable events a second on bolt, beside one write for each call
	$(GO) run ./internal/campaign -throughput

figures: ## every test at full scale and with its limits of time, and the figures that they print; alone on the machine
	@bash -o pipefail -c "STARLING_FIGURES=full $(GO) test -count=1 -p 1 -timeout 60m -v ./... | grep -E '^ +[a-z_]+_test.go:[0-9]+: |^(--- FAIL|FAIL|ok)'"

canary: ## the whole suite at full scale with marked secrets, and a search for them in all that it writes: 500 MB at least (T19)
	@out=$$(mktemp -d) && mkdir "$$out/test" && status=0; \
	STARLING_FIGURES=full STARLING_OUTPUTS="$$out" $(GO) test -count=1 -p 1 -timeout 60m -v ./... >"$$out/test/suite.txt" 2>&1 || status=1; \
	grep -E '^(ok|FAIL|--- FAIL|panic:)' "$$out/test/suite.txt"; \
	$(GO) run ./internal/canary/search -least "500MB test=5MB logs=80MB posts=150MB audit=100MB kept=30MB bodies=40MB programs=50kB" "$$out" || status=1; \
	if [ $$status = 0 ]; then rm -r "$$out"; else echo "what was written is in $$out"; fi; exit $$status

bench: ## all benchmarks, allocations reported
	$(GO) test -run '^$$' -bench . -benchmem ./...
