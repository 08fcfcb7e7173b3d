# Everything a person does here. Each target does its own set-up; `make demo` is a good first one.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Idle OpenMP threads sleep instead of spinning: on a few cores shared with others it is much faster.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: install demo test check bench bench-quick pictures clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[audit,dev]'
	touch $@

demo: install
	$(BIN)/fouriscale demo --out outputs/demo.png

# Two processes of one thread each: faster than one of two threads, and far faster beside other work.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks.quality

bench-quick: install
	$(BIN)/python -m benchmarks.quality --quick

pictures: install
	$(BIN)/python -m benchmarks.pictures

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
