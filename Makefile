# make demo: simulate, extract, fit, report, submit. make test: the suite. Both install what is pinned first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test test-slow lint clean

help:
	@echo "make demo       simulate, extract, fit, report, submit (into demo/)"
	@echo "make test       the test suite"
	@echo "make test-slow  the long runs over the real sample"
	@echo "make lint       ruff"
	@echo "make clean      remove .venv, demo/ and runs/"


setup: .venv/installed

.venv/installed: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

demo: setup
	$(BIN)/python cli.py demo

test: setup
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv demo runs
