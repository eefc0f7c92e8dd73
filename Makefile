# Set-up and the commands of every day. `make help` lists them.
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
OUT := runs/global
# Each worker holds a few hundred megabytes; one file's tests share their fixtures in one worker.
TOGETHER := -n logical --maxprocesses 4 --dist loadfile --benchmark-disable
DRAWS :=

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-browser test-all lint types wheel notebooks bench lock setup setup-dev clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.core ## create .venv with what users need
setup-dev: $(VENV)/.dev ## create .venv with what developers need

demo: $(VENV)/.core ## run analyses/global.yaml into runs/global and print the report's path
	$(VENV)/bin/sinkrisk run analyses/global.yaml --out $(OUT) $(if $(DRAWS),--draws $(DRAWS))

test: $(VENV)/.dev ## run the fast tests
	OMP_NUM_THREADS=1 $(PY) -m pytest -q $(TOGETHER)

test-slow: $(VENV)/.dev ## run the slow tests
	OMP_NUM_THREADS=1 $(PY) -m pytest -q $(TOGETHER) -m "slow and not browser"

test-browser: $(VENV)/.dev ## open the report in chromium
	$(PY) -m pytest -q -m browser

test-all: test test-slow test-browser ## run every test

lint: $(VENV)/.dev ## check style and formatting
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev ## check types, strictly
	$(VENV)/bin/mypy

wheel: $(VENV)/.dev ## build the wheel, install it into a second environment and run a copied spec there
	sh tests/wheel.sh $(PY)

notebooks: $(VENV)/.dev ## execute every notebook once, into build/notebooks
	$(PY) tests/execute_notebooks.py notebooks build/notebooks

bench: $(VENV)/.dev ## run the benchmarks and rewrite tests/benchmarks/RESULTS.md
	@mkdir -p build
	$(PY) -m pytest -q tests/benchmarks --benchmark-only --benchmark-json=build/bench.json -p no:cacheprovider
	$(PY) tests/benchmarks/tabulate.py build/bench.json tests/benchmarks/RESULTS.md

lock: ## compile both locks again (needs uv)
	uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate --python-version 3.12 -q -o requirements.lock
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --no-annotate --python-version 3.12 -q -c requirements.lock -o requirements-dev.lock

clean: ## remove the environment, runs and build products
	rm -rf $(VENV) build dist runs .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A pyenv shim can exist and still fail to run, so each candidate is asked for its version.
$(VENV)/bin/python:
	@set -e; found=; \
	for candidate in python3 python3.14 python3.13 python3.12; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "sinkrisk needs Python 3.12 or newer on the PATH (for example: apt install python3.13-venv, or pyenv install 3.13)." >&2; exit 2; \
	fi; \
	echo "creating $(VENV) with $$($$found --version)"; \
	$$found -m venv $(VENV)

$(VENV)/.core: $(VENV)/bin/python requirements.lock pyproject.toml
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python requirements-dev.lock requirements.lock pyproject.toml
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(PY) -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $(VENV)/.core $@
