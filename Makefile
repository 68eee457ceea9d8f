# What Tribune can do from a clone with Python 3.11 or newer and nothing else. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
BENCH := .venv-bench
ONCE ?=
QUICK ?=

.PHONY: help demo up test bench screenshots vendor lint types imports check doctor constraints clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: $(VENV)/.ready ## Set everything up, publish the sample recordings and serve them (ONCE=1: end after publishing)
	@$(BIN)/tribune demo $(if $(ONCE),--once)

up: $(VENV)/.ready ## Watch the inbox and serve the pages until Ctrl-C
	@$(BIN)/tribune up

doctor: $(VENV)/.ready ## Say what this machine lacks and what to do about it
	@$(BIN)/tribune doctor

test: $(VENV)/.ready-dev ## Set up what is missing and run the whole test suite
	@$(BIN)/tribune models fetch
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.ready $(BENCH)/.ready ## Measure Tribune beside its peers, into tests/benchmarks/RESULTS.md (QUICK=1: a few short recordings)
	@$(BIN)/tribune models fetch
	@$(BENCH)/bin/python -m tests.benchmarks $(if $(QUICK),--quick)

screenshots: $(VENV)/.ready-dev ## Every kind of learner page as pictures, into var/screenshots, to be looked at
	@$(BIN)/python -m tests.screenshots var/screenshots

vendor: ## Bring what the learner pages take from npm, at the versions of the lock file (needs Node.js; the result is committed)
	@cd pipeline/site/vendor && npm ci --ignore-scripts --no-audit --no-fund && npm run --silent build

check: lint types imports ## Lint, types and import contracts

lint: $(VENV)/.ready-dev ## Style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.ready-dev ## Types, strictly
	@$(BIN)/mypy

imports: $(VENV)/.ready-dev ## Which room may import which
	@$(BIN)/lint-imports

constraints: $(VENV)/.ready-dev ## Write constraints.txt from what is installed
	@$(PIP) install --constraint constraints.txt --group bench
	@{ head -1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+.*/\1/'; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## Remove the environment and caches; var/ with your data stays
	rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# torch comes first and alone: whatever is installed after it must take this one, and pip must choose the build.
$(VENV)/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Tribune needs Python 3.11 or newer. / Tribune a besoin de Python 3.11 ou plus récent."; exit 1; }
	@echo "Setting up $(VENV); the first time takes a few minutes. / Installation dans $(VENV); la première fois prend quelques minutes."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); } || { rm -rf $(VENV); \
		echo "Python lacks its venv module (Debian, Ubuntu: apt-get install python3-venv). / Il manque à Python son module venv (Debian, Ubuntu : apt-get install python3-venv)."; \
		exit 1; }
	@$(PIP) install --constraint constraints.txt --upgrade pip
	@$(PIP) install --constraint constraints.txt torch
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(PIP) install --constraint constraints.txt --group dev
	@touch $@

# Peers name other versions of our engines: they live apart, without their dependencies, on exactly the versions we use.
$(BENCH)/.ready: $(VENV)/.ready tests/benchmarks/peers.txt
	@echo "Setting up $(BENCH) with what Tribune is measured beside. / Installation dans $(BENCH) de ce à quoi Tribune est comparé."
	@test -x $(BENCH)/bin/pip || $(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt --upgrade pip
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt torch
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt --editable . --group dev --group bench
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --requirement tests/benchmarks/peers.txt
	@touch $@
