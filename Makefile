# `make run` shows what Tracekeeper does, `make test` shows that it does it.
# Both set up all they need. PYTHON=… names another Python (3.11 or newer).

VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
IDLE ?= 10
PYTEST := $(BIN)/python -m pytest
ENGINE := $(BIN)/python scripts/engine.py
export PYTHON VENV

.PHONY: help run test unit integration faults incident lint style types format docs coverage bench clean servers

help:
	@echo 'make run          run the example pipeline'
	@echo 'make test         all tests; installs what they need where it may'
	@echo 'make unit         tests that need nothing but Python'
	@echo 'make integration  tests with real processes and a Docker Engine'
	@echo 'make faults       every suite of faults, in full'
	@echo 'make incident     the incident on real parts; IDLE=600 at full size (root on Linux)'
	@echo 'make lint         style, layering, shape and types'
	@echo 'make format       rewrite the code in the house style'
	@echo 'make docs         write the pages that are made from the code'
	@echo 'make coverage     each pure module is covered by its own tests'
	@echo 'make bench        speed, beside the peer'
	@echo 'make clean        remove what these verbs made'

run: $(VENV)/.run
	$(BIN)/tracekeeper run -C examples/python-project

test: $(VENV)/.dev servers
	$(ENGINE) $(PYTEST) -n $(WORKERS)

unit: $(VENV)/.dev
	$(PYTEST) -n $(WORKERS) tests/unit

integration: $(VENV)/.dev servers
	$(ENGINE) $(PYTEST) tests/integration

faults: $(VENV)/.dev servers
	TRACEKEEPER_FAULTS=full $(ENGINE) $(PYTEST) tests/faults

incident: $(VENV)/.dev servers
	$(BIN)/python -m scripts.incident --idle $(IDLE)

lint: style types

style: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python scripts/shape.py
	$(BIN)/python scripts/generate_docs.py --check

types: $(VENV)/.dev
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.run
	$(BIN)/python scripts/generate_docs.py

coverage: $(VENV)/.dev
	$(BIN)/python scripts/coverage_gate.py

bench: $(VENV)/.run servers
	$(ENGINE) $(BIN)/python -m bench

clean:
	rm -rf $(VENV) .bench .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache
	rm -rf .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

servers:
	@scripts/servers

$(VENV)/.run: pyproject.toml scripts/setup
	scripts/setup run
	@touch $@

$(VENV)/.dev: pyproject.toml scripts/setup
	scripts/setup dev
	@touch $@ $(VENV)/.run
