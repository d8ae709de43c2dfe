# make demo        set up, run the shipped model on photographs, train a small model with and without messages (work_dirs/demo/)
# make test        set up, lint, run the tests except the slow ones
# make test-slow   set up, run the slow tests: the commands in the documents, whole demos, every config
# make test-onedl  the same in short with OneDL's fork of mmengine, in an environment of its own (.venv.onedl)
# make docs        set up, build the pages into docs/_build; a warning is an error
PYTHON ?= python3
# One pinned, tested build. Another one: make demo TORCH="torch==2.12.0"; pip's own options may follow the version.
TORCH ?= torch==2.13.0
VENV ?= .venv
# Processes that run tests. Each computes with one thread.
JOBS ?= auto
PYTEST = $(VENV)/bin/python -m pytest tests --numprocesses $(JOBS) --dist loadgroup --no-loadscope-reorder

.PHONY: setup demo test test-slow setup-onedl test-onedl lint docs

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

setup-onedl:
	@$(PYTHON) tools/misc/setup_env.py --venv .venv.onedl --torch "$(TORCH)" --family onedl

# every config builds, no loader of checkpoints runs code, a model trains, resumes and is tested
test-onedl: setup-onedl
	.venv.onedl/bin/python -m posestructs.compat
	.venv.onedl/bin/python -m pytest --numprocesses $(JOBS) --dist load \
	    tests/test_configs/test_configs.py::test_model_codec_and_data_agree tests/test_engine/test_checkpoint_loaders.py \
	    tests/test_tools/test_resume.py::test_resume_from_a_named_checkpoint \
	    "tests/test_tools/test_end_to_end.py::test_it_trains_saves_resumes_and_tests[hybrid-mpii]"

docs: setup
	$(VENV)/bin/python -m sphinx -W --keep-going -q docs docs/_build
