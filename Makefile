# make help tells what there is.
.DEFAULT_GOAL := help
.PHONY: help setup demo test unit check format bench torture soak lock clean

PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: ## all that is needed, into .venv; names and installs what the system lacks
	@bin/setup

demo: setup ## the station with virtual devices, until Ctrl-C
	@exec .venv/bin/station demo

test: setup ## everything: checks, unit, contract and system tests, PostgreSQL included
	@$(MAKE) --no-print-directory check
	$(PY) -m pytest tests/unit -q -n 2 --cov
	@# these wait more than they work: three at a time on two cores
	$(PY) -m pytest tests/contract tests/system -q -n 3 --dist loadfile

unit: setup ## the unit tests alone
	$(PY) -m pytest tests/unit -q -n 2

check: setup ## lint, format, types, layers
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

format: setup ## let ruff put things in order
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

bench: setup ## measure; prints figures, judges nothing
	$(PY) -m bench.ingest
	$(PY) -m bench.command
	$(PY) -m bench.metrics
	$(PY) -m bench.auth
	$(PY) -m bench.cloud
	$(PY) -m bench.power_cut
	$(PY) -m bench.ble
	$(PY) -m bench.simulate

torture: setup ## kill the station and its database 200 times in the middle of writing; 8 minutes a database, alone on 2 cores
	$(PY) -m tests.system.torture --rounds 200

soak: setup ## live half an hour a database with 200 devices and a trouble a minute: does anything grow? alone on 2 cores
	$(PY) -m tests.system.soak --minutes 30

lock: setup ## take newer versions within pyproject's bounds into the lock files
	.venv/bin/uv pip compile -q --upgrade pyproject.toml --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate -o requirements.lock
	@# pip looks for what somebody needs with its extras by that name
	.venv/bin/uv pip compile -q --upgrade pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --no-strip-extras \
		-c requirements.lock -o requirements-dev.lock

clean: ## all that make made; the demo's data too
	rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
