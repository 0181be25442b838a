# Two commands: `make demo` and `make test`. Both set everything up in .venv first, from nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
JOBS ?= 2

.PHONY: setup demo test lint generate wheel-demo clean

setup: $(STAMP)

demo: $(STAMP)
	$(BIN)/transfermap demo -o demo

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# what is written from the code: the type stub, a page a method, lists in the READMEs; tests fail where it is stale
generate: $(STAMP)
	$(BIN)/python scripts/stub.py
	$(BIN)/python scripts/pages.py

# what works only in an editable install does not work: the demo once more, from the wheel, in an environment of its own
wheel-demo: $(STAMP)
	rm -rf dist build/wheel-venv
	$(BIN)/python -m build --wheel --outdir dist
	$(PYTHON) -m venv build/wheel-venv
	build/wheel-venv/bin/python -m pip install -q -c constraints.txt "$$(ls dist/*.whl)[demo]"
	cd build && wheel-venv/bin/transfermap demo -o wheel-demo

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	$(BIN)/python -m compileall -q src
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist demo
