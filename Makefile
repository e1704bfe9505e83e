# `make help` lists what there is. Nothing but `demo`, `demo-cluster`, `bench` and the two `chaos` run Sealift itself.
.DEFAULT_GOAL := help
.PHONY: help setup setup-providers check typecheck lint format-check boundaries test test-unit demo demo-cluster bench chaos chaos-cluster clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 15

setup: ## install and build everything, start nothing (half an hour on an empty machine, then a second)
	@tools/setup.sh

check: ## types, lint, format and import boundaries, two at a time
	@$(MAKE) --no-print-directory --output-sync=target --keep-going -j2 lint typecheck boundaries format-check

typecheck:
	@npm run --silent typecheck

lint:
	@npm run --silent lint

format-check:
	@npm run --silent format:check

boundaries:
	@npm run --silent boundaries

test: ## set-up, checks and the whole suite
	@tools/test.sh

test-unit: ## the tests beside the code only
	@npm run --silent test:unit

demo: setup ## export and import through a real Temporal and a real registry, on this machine
	@node_modules/.bin/tsx test/demo/run.ts

demo-cluster: setup ## a management and a workload cluster out of a bundle, without Docker, on imitated machines
	@node_modules/.bin/tsx test/demo/run-cluster.ts

bench: setup ## Sealift against crane, skopeo, oras and regctl on the same input
	@node_modules/.bin/tsx test/bench/run.ts

chaos: setup ## many more rounds of kill -9 than the suite has; ROUNDS=200 sets how many
	@SEALIFT_CHAOS_ROUNDS=$(or $(ROUNDS),200) node_modules/.bin/vitest run test/chaos

setup-providers: ## set-up, and the real infrastructure providers, which take a quarter of an hour to build
	@tools/setup.sh providers

chaos-cluster: setup-providers ## the tests of clusters that take minutes each, and kill -9 in every phase; ROUNDS=40 for fewer kills
	@SEALIFT_LONG_CLUSTER_TESTS=1 SEALIFT_CLUSTER_CHAOS_ROUNDS=$(or $(ROUNDS),100) node_modules/.bin/vitest run test/lab test/clusters test/chaos/clusters

clean: ## remove what was built, but not the Go tools
	@rm -rf dist coverage node_modules .cache/vitest-report.json
