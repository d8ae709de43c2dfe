# make demo   set up, train four small models on drawn people, set them side by side (work_dirs/demo/)
# make test   set up, lint, run the whole test suite
# make docs   set up, build the pages into docs/_build; a warning is an error
PYTHON ?= python3
# One pinned, tested build. Another one: make demo TORCH="torch==2.12.0"; pip's own options may follow the version.
TORCH ?= torch==2.13.0
VENV ?= .venv

.PHONY: setup demo test lint docs

setup:
	@$(PYTHON) tools/misc/setup_env.py --venv "$(VENV)" --torch "$(TORCH)"

demo: setup
	@$(VENV)/bin/python tools/misc/demo.py

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

test: lint
	$(VENV)/bin/python -m pytest tests

docs: setup
	$(VENV)/bin/python -m sphinx -W --keep-going -q docs docs/_build
