# make demo, make test: set up what is missing, then do it. VENV and PYTHON can be overridden.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

# make study SIZE=full COHORT="cohort=ukb cohort.root=DIR cohort.phenotypes=FILE"
SIZE ?= small
COHORT ?=
panel: SIZE = full

.PHONY: demo study panel test test-more test-slow check docs docs-links format bench bench-sweep

demo: $(VENV)/.installed
	$(BIN)/python train.py experiment=demo

# Baselines and networks on the same splits; make panel SIZE=small shows the page in minutes.
panel: $(VENV)/.installed
	$(BIN)/python -m brainage panel --size $(SIZE) $(COHORT)

study: $(VENV)/.installed
	$(BIN)/python -m brainage study --size $(SIZE) $(COHORT)

test: $(VENV)/.installed
	$(BIN)/python -m pytest

test-more: $(VENV)/.installed
	$(BIN)/python -m pytest -m "more and not slow"

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.installed docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site, in docs/_build/html. Made from nothing, because the gallery would not notice changes of the package.
docs: $(VENV)/.installed
	rm -rf docs/_build docs/auto_gallery docs/gallery/outputs docs/reference/generated
	$(BIN)/python -m sphinx -q -W --keep-going docs docs/_build/html

docs-links: $(VENV)/.installed
	$(BIN)/python -m sphinx -q -b linkcheck -D plot_gallery=0 docs docs/_build/links

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks

bench-sweep: $(VENV)/.installed
	$(BIN)/python -m benchmarks.sweep

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "brainage needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@
