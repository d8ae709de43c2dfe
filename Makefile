# make demo        set up, train small models on synthetic figures, compare them (work_dirs/demo/)
# make test        set up, lint, run the tests except the slow ones
# make test-slow   set up, run the slow tests: the commands in the documents, whole demos, every config
# make docs        set up, build the pages into docs/_build; a warning is an error
PYTHON ?= python3
# One pinned, tested build. Another one: make demo TORCH="torch==2.12.0"; pip's own options may follow the version.
TORCH ?= torch==2.13.0
VENV ?= .venv
# Processes that run tests. Each computes with one thread.
JOBS ?= auto
PYTEST = $(VENV)/bin/python -m pytest tests --numprocesses $(JOBS) --dist loadgroup --no-loadscope-reorder

.PHONY: setup demo test test-slow lint docs

setup:
	@$(PYTHON) tools/misc/setup_env.py --venv "$(VENV)" --torch "$(TORCH)"

demo: setup
	@$(VENV)/bin/python tools/misc/demo.py

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

test: lint
	$(PYTEST) -m "not slow"

test-slow: setup
	$(PYTEST) -m slow

docs: setup
	$(VENV)/bin/python -m sphinx -W --keep-going -q docs docs/_build
