# `make check` is what CI runs, in the Python that is active; `.ci/run` does the same in a fresh one.
PYTHON ?= python

.PHONY: check lint types docs test bench samples

check: lint types docs test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

docs:
	$(PYTHON) -m pytest tests/test_docs.py

test:
	$(PYTHON) -m pytest -n auto

bench:
	$(PYTHON) -m benchmarks.run

# rewrites the sample embeddings; `--check` in place of it compares them with their checksums
samples:
	$(PYTHON) sample_embeddings/make.py
