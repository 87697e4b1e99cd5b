# Every target sets up .venv itself. `PYTHON=python3.12 make quickstart` picks the interpreter.
PYTHON ?= python3
INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

quickstart: .venv/run ; .venv/bin/python cli.py compare configs/quickstart.yaml
test: .venv/test ; .venv/bin/python -m pytest
lint: .venv/test ; .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
bench: .venv/bench ; .venv/bin/python benchmarks/run.py
clean: ; rm -rf .venv

.venv/run: pyproject.toml constraints.txt ; $(PYTHON) -m venv .venv && $(INSTALL) -e . && touch $@
.venv/test: .venv/run ; $(INSTALL) -e '.[test]' && touch $@
.venv/bench: .venv/run ; $(INSTALL) -e '.[bench]' && touch $@
.PHONY: quickstart test lint bench clean
