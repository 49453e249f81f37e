# Two commands do everything on a bare Linux machine with Python 3.11 or newer:
#   make demo    environment, installation, the demo analyses; ends by printing where their figures are
#   make test    environment, installation, all checks and tests
# Another interpreter: make PYTHON=python3.12 demo. Another place for the environment: make VENV=/tmp/venv test.

PYTHON ?= python3
VENV ?= .venv
# Tests side by side: twice as many as cores, as half of their time goes into waiting for processes that they start.
JOBS ?= $(shell echo $$((2 * $$(nproc 2>/dev/null || echo 2))))

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
# What an installation depends on; a stamp newer than these means that there is nothing to install.
PROJECT := pyproject.toml constraints.txt tempgen/_version.py
QUICK_STAMP := $(VENV)/.tempgen-quick
DEMO_STAMP := $(VENV)/.tempgen-demo
DEV_STAMP := $(VENV)/.tempgen-dev

.DEFAULT_GOAL := help
.PHONY: help demo demo-quick test lint docs bench constraints clean

help:
	@echo "make demo         install, run the linear and the Dynadiff demo (simulated subjects), print where the figures are"
	@echo "make demo-quick   the same with the linear decoder alone (three minutes)"
	@echo "make test         install with all extras, lint, type-check, test"
	@echo "make lint         lint and type-check only"
	@echo "make docs         build the documentation into build/docs"
	@echo "make bench        run every benchmark in benchmarks/"
	@echo "make constraints  resolve the open ranges anew, test them, and rewrite constraints.txt"
	@echo "make clean        remove caches and builds; keeps $(VENV) and outputs/"

demo: $(DEMO_STAMP)
	$(BIN)/tempgen run analyses/demo.yaml
	$(BIN)/tempgen run analyses/ridge_tokens_demo.yaml
	$(BIN)/tempgen run analyses/dynadiff_demo.yaml

demo-quick: $(QUICK_STAMP)
	$(BIN)/tempgen run analyses/demo.yaml

test: lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(DEV_STAMP)
	$(BIN)/python -m sphinx -W docs build/docs
	@echo "build/docs/index.html"

bench: $(DEV_STAMP)
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

# --- environment -----------------------------------------------------------------------------------------------------

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { echo "make: no $(PYTHON) on this machine. tempgen needs Python 3.11 or newer:" \
	  "install it, or name one that is there: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is" \
	  "`$(PYTHON) --version 2>&1`; tempgen needs Python 3.11 or newer. Name one that is:" \
	  "make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) lacks its venv module, which makes" \
	  "environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv "$(VENV)"

$(QUICK_STAMP): $(PROJECT) | $(BIN)/python
	@echo "Installing tempgen into $(VENV); the first time this takes a few minutes"
	$(INSTALL) -e ".[notebooks]"
	@touch $@

$(DEMO_STAMP): $(PROJECT) | $(BIN)/python
	@echo "Installing tempgen with diffusion models into $(VENV); the first time this takes several minutes"
	$(INSTALL) -e ".[diffusion,notebooks]"
	@touch $(QUICK_STAMP) $@

$(DEV_STAMP): $(PROJECT) | $(BIN)/python
	@echo "Installing tempgen with all its extras into $(VENV); the first time this takes several minutes"
	$(INSTALL) -e ".[dev]"
	@touch $(QUICK_STAMP) $(DEMO_STAMP) $@

# --- maintenance -----------------------------------------------------------------------------------------------------

NEW_VENV := build/constraints-venv
# Held back: soupsieve 3 and 4 need Python 3.11.5, and Debian 12 has 3.11.2.
HOLD := "soupsieve<3"
constraints:
	rm -rf $(NEW_VENV)
	"$(PYTHON)" -m venv $(NEW_VENV)
	$(NEW_VENV)/bin/python -m pip install --disable-pip-version-check --quiet -e ".[dev]" $(HOLD)
	$(NEW_VENV)/bin/python -m pytest -n $(JOBS) --dist loadfile
	{ sed -n '/^#/p' constraints.txt; \
	  $(NEW_VENV)/bin/python -m pip freeze --exclude-editable | sed -E 's/\+[a-z0-9.]+$$//'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache
	find tempgen tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
