# Each command makes a virtual environment of its own in $(VENV); nothing is installed elsewhere.
#
#   make demo                       see it work: no key, no network but the package index
#   make test                       lint, types and all tests
#   make soak                       half an hour of streams under faults: does anything grow?
#   make docs                       the documentation, in site/
#   make bench                      what receiving costs; half an hour on a machine that does nothing else
#   make demo PYTHON=python3.12     with another Python

PYTHON ?= python3
VENV ?= .venv
DEMO_ARGS ?=
BENCH_ARGS ?=
SOAK_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint docs soak bench clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed-all
	@$(BIN)/python -m odyssey demo $(DEMO_ARGS)

test: lint docs
	$(BIN)/python -m pytest
	$(BIN)/python -m tests.soak --minutes 2 --cycle 8 --seed 1

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# What mkdocs says of its own future is not about these pages.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak $(SOAK_ARGS)

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean:
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find odyssey tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed-all: $(VENV)/bin/python setup.cfg setup.py
	@echo "Installing into $(VENV) (a minute the first time)"
	@$(PIP) install --use-pep517 --editable '.[all]'
	@touch $@

# The `dev` extra contains `all`.
$(VENV)/.installed-dev: $(VENV)/bin/python setup.cfg setup.py
	@echo "Installing into $(VENV) (a minute or two the first time)"
	@$(PIP) install --use-pep517 --editable '.[dev]'
	@touch $@ $(VENV)/.installed-all

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or: make PYTHON=/path/to/python" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "odyssey needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V 2>&1`." >&2; \
	  echo "With another one: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) can't make virtual environments: its venv module is missing." >&2; \
	  echo "On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV)
