# Everything runs from .venv, which is made from requirements.lock and needs only Python 3.11+ and make.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install demo payment-storm load soak up test bench bench-units lint lock clean

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed  ## Install everything into .venv, pinned by requirements.lock

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Floodgate needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install  ## Sell one whole concert drop on this machine; the exit code is the verdict
	@$(BIN)/python -m loadtest.demo $(DEMO_OPTIONS)

payment-storm: install  ## Pay 20,000 orders through a WeChat that loses, doubles and tampers, and count every fen
	@$(BIN)/python -m loadtest.storm $(STORM_OPTIONS)

load: install  ## Play a concert drop at small scale, audit it, judge it: two minutes; LOAD_OPTIONS="--seed 7"
	@$(BIN)/python -m loadtest concert-drop --scale 0.03 --no-cross-check $(LOAD_OPTIONS)

soak: install  ## Fifteen minutes of steady load that must leave everything flat; SOAK_OPTIONS="--minutes 5"
	@$(BIN)/python -m loadtest.lab.searches.soak $(SOAK_OPTIONS)

up: install  ## Run the whole stack until Ctrl-C and print its addresses
	@$(BIN)/floodgate up

test: install  ## Run every test
	@$(BIN)/python -m pytest -n 3 --dist loadfile

bench: install  ## Measure against yardsticks of the same run; writes .run/bench.json
	@$(BIN)/python -m bench

UNITS := $(BIN)/python -m pytest -q bench/micro --benchmark-quiet $(UNITS_OPTIONS)
bench-units: install  ## Time the hot path's pieces beside yardsticks, against the kept baselines; SAVE=1 keeps new ones
	@mkdir -p .run
ifdef SAVE
	@set -e; rm -f .run/units-*.json; for run in 1 2 3 4 5; do $(UNITS) --save-baselines --baselines .run/units-$$run.json; done
	@$(BIN)/python -m bench.micro .run/units-*.json
else
	@$(UNITS) --benchmark-json=.run/bench-units.json
endif

lint: install  ## Style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lock: install  ## Pin the newest allowed versions into requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --upgrade --extra dev pyproject.toml -o requirements.lock

clean:  ## Remove .venv, .run and caches
	rm -rf .venv .run .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache build ./*.egg-info
