# `make check` is what CI runs, in the Python that is active; `.ci/run` does the same in a fresh one.
PYTHON ?= python

.PHONY: check lint types docs test test-floors slow bench experiments samples

check: lint types docs test slow

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

docs:
	$(PYTHON) -m pytest tests/test_docs.py

test:
	$(PYTHON) -m pytest -n auto

# the tests at the lowest versions that pyproject.toml declares, in an environment of their own; PYTHON is to be a 3.11
test-floors:
	.ci/try --lowest $(PYTHON)

slow:
	$(PYTHON) -m pytest -n auto -m slow

bench:
	$(PYTHON) -m benchmarks.run

# the tables of docs/experiments.md, on the samples, or on the folder of real spaces that RELCLI_SHARED names
experiments:
	$(PYTHON) docs/experiments.py

# rewrites the sample embeddings; `--check` in place of it compares them with their checksums
samples:
	$(PYTHON) sample_embeddings/make.py
