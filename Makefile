# Everything goes through `make`; the machine needs only Python >= 3.11 and make itself.

BIN := .venv/bin
# One half of the tests may have none that ARGS picks, which pytest says with a 5.
NONE_PICKED := $(if $(ARGS),|| [ $$? -eq 5 ])

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test test-all check fix bench faults

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: ## Install what running needs, and build the embedded models.
	@PYTHON='$(PYTHON)' scripts/setup.sh run

setup-dev: ## Install what developing needs too.
	@PYTHON='$(PYTHON)' scripts/setup.sh dev

run: setup ## Start a node; ARGS="--port 9000" passes options on.
	@$(BIN)/inferd up $(ARGS)

test: setup-dev ## Run the tests: 3 minutes at most, no network; ARGS="-k name" picks some.
	@$(BIN)/pytest -n 2 --dist loadfile -m 'not extra' $(ARGS)

test-all: setup-dev ## Run every test, those too that need npm, apt or other environments.
	@$(BIN)/pytest -n 2 --dist loadfile --ignore tests/pages $(ARGS) $(NONE_PICKED)
	@# A browser and its nodes take both cores: one test at a time.
	@$(BIN)/pytest tests/pages $(ARGS) $(NONE_PICKED)

check: setup-dev ## Format, lint, types, import contracts, generated documents, vendored files.
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/docs.py --check
	@$(BIN)/python scripts/vendor.py --check

fix: setup-dev ## Mend what the linter can, and format.
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: setup-dev ## Run each benchmark briefly.
	@set -e; for file in benchmarks/[!_]*.py; do \
	    echo "== $$file"; $(BIN)/python "$$file" --quick; done

faults: setup-dev ## Break backends in every way we know, and count what callers lose.
	@$(BIN)/python -m tests.faults $(ARGS)
