# For a machine that has Python, pip, git and make. Where uv is installed, it is used.

.DEFAULT_GOAL := help
BIN := .venv/bin
UV := $(shell command -v uv || echo $(BIN)/uv)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/ready ## install the tools into .venv

.venv/ready: pyproject.toml
	@python3 -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer, please: this is " + sys.version)'
	@command -v uv >/dev/null || test -x $(BIN)/uv || (python3 -m venv .venv && $(BIN)/pip install --quiet uv)
	@test -x $(BIN)/python || $(UV) venv --quiet --python python3 .venv
	@$(UV) pip install --quiet --python $(BIN)/python --group dev
	@touch $@

test: setup ## format, lint, types, then all tests
	@$(BIN)/ruff format --quiet --check || (echo "Run: make format"; exit 1)
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy
	@$(BIN)/pytest --quiet --numprocesses auto --maxprocesses 4 --dist loadfile

demo: setup ## the default service in build/bistro, and its story over HTTP
	@rm -rf build/bistro
	@$(BIN)/copier copy --quiet --defaults --vcs-ref HEAD "$(CURDIR)" build/bistro
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(MAKE) --no-print-directory -C build/bistro setup
	@$(BIN)/python tests/demo.py build/bistro

format: setup ## put the code in form
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

fuzz: setup ## interviews drawn by chance, for FUZZ_MINUTES=60
	@FUZZ_MINUTES=$${FUZZ_MINUTES:-60} $(BIN)/pytest --quiet tests/test_fuzz.py

bench: setup ## how long it takes, compared
	@$(BIN)/python tests/benchmarks/run.py
	@$(BIN)/python tests/benchmarks/served.py

.PHONY: help setup test demo format fuzz bench
