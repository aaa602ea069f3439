# Everything sets itself up: `make demo` and `make test` work on a fresh machine with Python 3.11 or newer.
# Where there is a GPU and the Python given has a PyTorch that sees it, that PyTorch is used; else pip installs one.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
# Where PyTorch comes from if not from the default index, such as https://download.pytorch.org/whl/cpu.
TORCH_INDEX ?=
TESTS ?= tests

BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check format setup clean

demo: $(READY)
	$(BIN)/python demo.py

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q $(TESTS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: $(READY)

$(READY): pyproject.toml scripts/setup.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH_INDEX="$(TORCH_INDEX)" bash scripts/setup.sh
	touch $(READY)

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
