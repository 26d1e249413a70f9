# The few commands people use. Recipes for Python run in the virtual environment that scripts/setup.sh keeps in order.

# relative, so that a repository in a folder with a space in its name works too
AUTOGLM_VENV ?= .venv
export AUTOGLM_VENV
# for tests that load ONNX Runtime in their own process; the server tells its media process itself
export ORT_DISABLE_TELEMETRY := 1
BIN := $(AUTOGLM_VENV)/bin
SETUP := sh scripts/setup.sh

.DEFAULT_GOAL := help
.PHONY: help serve test test-all check fix bench bench-full lock docs vendor tools parts

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

serve: ## start the server on 127.0.0.1:8000 (ARGS="--port 9000" are passed on)
	sh run_autoglm_server.sh $(ARGS)

test: check parts ## everything a change must pass: check, unit, real parts, browser
	AUTOGLM_REQUIRE_PARTS=1 $(BIN)/python -m pytest

test-all: check parts ## as test, with the long runs
	AUTOGLM_REQUIRE_PARTS=1 $(BIN)/python -m pytest -m ""

check: tools ## what can be said without running: format, lint, types, layers, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m autoglm_phone.cli.docs --check

fix: tools ## what a machine can mend: format, lint, generated docs
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m autoglm_phone.cli.docs

bench: tools parts ## our server beside llama.cpp's own, under 20 minutes; writes docs/performance.md
	$(BIN)/python -m benchmarks.all --quick $(ARGS)

bench-full: tools parts ## the same with every question and five rounds: hours (ARGS="--model autoglm-phone-nano-plus")
	$(BIN)/python -m benchmarks.all $(ARGS)

docs: tools ## write the generated pages anew
	$(BIN)/python -m autoglm_phone.cli.docs

lock: tools ## resolve the dependencies anew (ARGS=--upgrade takes newer ones)
	PATH="$(BIN):$$PATH" $(BIN)/python scripts/lock.py $(ARGS)

vendor: ## fetch the pages' packages anew, as scripts/web/package-lock.json pins them (needs npm)
	python3 scripts/vendor.py

tools:
	@$(SETUP) venv requirements-dev.lock
	@$(SETUP) torch

parts: tools
	@$(SETUP) bundle autoglm-phone-nano
	@$(SETUP) bundle autoglm-phone-voice
	@$(SETUP) chromium
	@$(SETUP) debootstrap
