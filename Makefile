# Each command makes a virtual environment of its own in $(VENV); nothing is installed elsewhere.
#
#   make demo                       see it work: no key, no network but the package index
#   make quick                      lint, types and unit tests: a minute and a half
#   make test                       all that a change to the library can break: eight minutes
#   make test-all                   that, and browsers, Ray, torch, networks, packages, other Pythons
#   make soak                       half an hour of streams under faults: does anything grow?
#   make docs                       the documentation, in site/
#   make audit                      known holes in what is installed; asks the package index
#   make bench                      what receiving costs; half an hour on a machine that does nothing else
#   make demo PYTHON=python3.12     with another Python

PYTHON ?= python3
VENV ?= .venv
DEMO_ARGS ?=
BENCH_ARGS ?=
SOAK_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

PYTEST := $(BIN)/python -m pytest
#: Tests that don't measure time share the processors; they wait much, so for two there are three.
SPREAD := --numprocesses 3 --dist worksteal

.PHONY: demo quick test test-all rest other-pythons unit lint docs soak audit bench clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed-all
	@$(BIN)/python -m odyssey demo $(DEMO_ARGS)

quick: lint unit

# With fewer made-up examples than `make test`.
unit: $(VENV)/.installed-dev
	HYPOTHESIS_PROFILE=quick $(PYTEST) $(SPREAD) -m "not live and not timing and not slow"

test: lint docs
	$(PYTEST) $(SPREAD) -m "not timing and not slow"
	$(PYTEST) -m "timing and not slow"

test-all: test rest

# What `make test` leaves out.
rest: $(VENV)/.installed-slow
	$(PYTEST) $(SPREAD) -m "slow and not timing"
	$(PYTEST) -m "slow and timing"
	$(BIN)/python -m tests.soak --minutes 2 --cycle 8 --seed 1
	$(MAKE) other-pythons

# Each other Python from 3.11 to 3.14 that is here, in an environment of its own.
other-pythons:
	@for version in 3.11 3.12 3.13 3.14; do \
	  $(BIN)/python -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] == '$$version')" || continue; \
	  python=`sh tests/support/find_python.sh $$version` || { echo "no Python $$version here"; continue; }; \
	  $(MAKE) unit PYTHON=$$python VENV=$(VENV)-$$version || exit 1; \
	done

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# What mkdocs says of its own future is not about these pages.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak $(SOAK_ARGS)

# In an environment of its own, so that its own requirements are not audited. --strict: a package
# whose data can't be reached is a failure.
audit: $(VENV)/.installed-dev $(VENV)-audit/bin/pip-audit
	$(PIP) freeze --exclude-editable > $(VENV)-audit/installed.txt
	$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off \
	  --requirement $(VENV)-audit/installed.txt

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean:
	rm -rf $(VENV) $(VENV)-3.* $(VENV)-audit build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find odyssey tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed-all: $(VENV)/bin/python setup.cfg setup.py
	@echo "Installing into $(VENV) (a minute the first time)"
	@$(PIP) install --use-pep517 --editable '.[all]'
	@touch $@

# The `dev` extra contains `all`.
$(VENV)/.installed-dev: $(VENV)/bin/python setup.cfg setup.py requirements-dev.txt
	@echo "Installing into $(VENV) (a minute or two the first time)"
	@$(PIP) install --use-pep517 --constraint requirements-dev.txt --editable '.[dev]'
	@touch $@ $(VENV)/.installed-all

# The `slow` extra contains `dev`.
$(VENV)/.installed-slow: $(VENV)/.installed-dev
	@echo "Installing Ray, torch and build into $(VENV)"
	@$(PIP) install --use-pep517 --constraint requirements-dev.txt --editable '.[slow]'
	@touch $@

$(VENV)-audit/bin/pip-audit: $(VENV)/bin/python requirements-dev.txt
	@$(BIN)/python -m venv $(VENV)-audit
	@$(VENV)-audit/bin/python -m pip --disable-pip-version-check -qq install \
	  --constraint requirements-dev.txt pip-audit
	@touch $@

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
