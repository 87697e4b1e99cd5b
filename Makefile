# Every target sets up .venv itself. `PYTHON=python3.12 make quickstart` picks the interpreter.
PYTHON ?= python3
INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# The build for CPUs, which pip finds only where its index has it: that of PyPI for Linux takes gigabytes.
CPU_TORCH = $(shell grep ^torch== constraints.txt)+cpu

quickstart: .venv/run ; .venv/bin/python cli.py compare configs/quickstart.yaml
test: .venv/test ; .venv/bin/python -m pytest
test-all: .venv/test ; .venv/bin/python -m pytest --exhaustive
lint: .venv/test ; .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
bench: .venv/bench ; .venv/bin/python benchmarks/run.py
docs: .venv/docs ; .venv/bin/python -m sphinx --fail-on-warning --keep-going --quiet docs dist/docs
clean: ; rm -rf .venv

.venv/run: pyproject.toml constraints.txt ; $(PYTHON) -m venv .venv && $(INSTALL) -e . && touch $@
.venv/test: .venv/run
	$(INSTALL) -e '.[test]'
	.venv/bin/python -c 'import torch' 2>/dev/null || $(INSTALL) $(CPU_TORCH) 2>/dev/null || \
	echo 'The tests of PyTorch losses are skipped: pip finds no CPU build of torch. See docs/torch_losses.md'
	touch $@
.venv/docs: .venv/run ; $(INSTALL) -e '.[docs]' && touch $@
.venv/bench: .venv/run ; $(INSTALL) -e '.[bench]' && touch $@
.PHONY: quickstart test test-all lint bench docs clean
