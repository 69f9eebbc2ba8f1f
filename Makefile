# The few commands of the house; `make` lists them. Each works from a fresh clone: the environment is made on the first call.
# uv is used when it is there, else python3 with venv and pip.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint typecheck pytest fit bench lock clean

VENV := .venv
BIN  := $(VENV)/bin
# The first interpreter that is new enough. `make PYTHON=/path/to/python` takes another.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
UV   := $(shell command -v uv 2>/dev/null)
PIP  := $(if $(UV),"$(UV)" pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/dev.stamp ## make .venv from the lock; done again only when the lock or pyproject.toml changed

# The environment is made anew, so that nothing is left of older pins. The stamp comes last: a broken set-up is repeated.
$(VENV)/run.stamp: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed and none was found; install it, or: make PYTHON=/path/to/python"; exit 1; }
	@echo "setting up $(VENV) with $(if $(UV),uv,pip)"
	@rm -rf $(VENV)
	@$(if $(UV),"$(UV)" venv --quiet --no-python-downloads --python "$$(command -v $(PYTHON))" $(VENV),$(PYTHON) -m venv $(VENV)) \
		|| { rm -rf $(VENV); echo "no virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(PIP) -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	@$(PIP) -r requirements-dev.lock
	@touch $@

$(VENV)/fit.stamp: $(VENV)/dev.stamp requirements-fit.lock
	@$(PIP) -r requirements-fit.lock
	@touch $@

demo: $(VENV)/run.stamp ## llama-2-70b for eight users with 4,096 tokens of context, on three cards
	@$(BIN)/cardwise plan llama-2-70b --cards "RTX 4090, A100 SXM 80GB, H100 SXM" --concurrency 8 --input 3840 --output 256

test: lint typecheck pytest ## everything that must pass before a commit

lint: setup ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

typecheck: setup ## mypy --strict
	@$(BIN)/mypy --strict

pytest: setup ## the tests alone
	@$(BIN)/python -m pytest -q

fit: $(VENV)/fit.stamp ## fit the efficiencies and intervals to the evidence again, from the shipped ones on
	@$(BIN)/python -m cardwise.calibration --warm
	@$(BIN)/python -m cardwise.calibration.training
	@$(BIN)/python -m cardwise.calibration.runs.fit

bench: setup ## time the commands that a person waits for
	@$(BIN)/python benchmarks/bench.py

lock: ## pin the newest releases that pyproject.toml allows (needs uv and the network)
	@for kind in "" "-dev --extra dev" "-fit --extra dev --extra fit"; do set -- $$kind; \
		case "$$1" in -*) file=requirements$$1.lock; shift;; *) file=requirements.lock;; esac; \
		head -n 1 $$file > $$file.new; \
		printf 'hatchling\n' | "$(UV)" pip compile --universal --python-version 3.11 --quiet --no-header --no-annotate --no-emit-index-url \
			pyproject.toml - "$$@" $$([ $$file = requirements.lock ] || echo "-c requirements.lock") >> $$file.new && mv $$file.new $$file || exit 1; \
	done

clean: ## remove the environment and all caches
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage *.egg-info
	@find cardwise tests benchmarks examples -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
