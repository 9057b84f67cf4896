# make demo: simulate, extract, fit, report, submit. make test: the suite. Both install what is pinned first.
PYTHON ?= python3
BIN := .venv/bin
GPU_PYTHON ?= $(BIN)/python
FIELDS ?=

.PHONY: help setup demo test test-slow test-gpu lint clean

help:
	@echo "make demo       simulate, extract, fit, report, submit (into demo/)"
	@echo "make test       the test suite"
	@echo "make test-slow  the long runs over the real sample"
	@echo "make test-gpu   every family and the fit on the CPU and the GPU: largest differences (FIELDS=folder of images)"
	@echo "make lint       ruff"
	@echo "make clean      remove .venv, demo/ and runs/"


setup: .venv/installed

.venv/installed: requirements.txt requirements-cluster.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

demo: setup
	$(BIN)/python cli.py demo

test: setup
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

test-gpu:
	$(GPU_PYTHON) benchmarks/parity.py $(FIELDS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv demo runs
