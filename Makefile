# Everything a person does here. Each target does its own set-up; `make demo` is a good first one.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Idle OpenMP threads sleep instead of spinning: on a few cores shared with others it is much faster.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: install demo app test test-browser test-faults test-matrix test-oldest check bench bench-quick pictures \
	screenshots clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[app,audit,dev]'
	touch $@

demo: install
	$(BIN)/fouriscale demo --out outputs/demo.png

# The page, on the embedded model; `.venv/bin/python app.py --help` has the switches.
app: install
	$(BIN)/python app.py

# Two processes of one thread each: faster than one of two threads, and far faster beside other work.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# Quantisers stand apart from .venv: diffusers imports them wherever they are, and they are noisy without a GPU.
QUANTISERS := .quantisers
test-matrix: install $(QUANTISERS)/.installed
	PYTHONPATH=$(QUANTISERS) $(BIN)/python -m pytest -q tests/matrix

$(QUANTISERS)/.installed: constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps -c constraints.txt \
		--upgrade --target $(QUANTISERS) bitsandbytes torchao
	touch $@

# Batches whose runs, workers and disks fail.
test-faults: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 tests/faults

# The page in a real browser: Debian's Chromium, or the one that CHROMIUM names.
test-browser: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/browser

# The core on the oldest diffusers of the supported range, in an environment of its own.
OLDEST := 0.41.0
OLD := .venv-oldest
test-oldest: $(OLD)/.installed
	$(OLD)/bin/python -m pytest -q tests/contract tests/fouriscale/hooks/test_patch.py \
		tests/fouriscale/test_presets.py tests/fouriscale/sampling/test_generate.py

$(OLD)/.installed: pyproject.toml constraints.txt
	test -x $(OLD)/bin/python || $(PYTHON) -m venv $(OLD)
	grep -vE '^(diffusers|huggingface_hub)==' constraints.txt > $(OLD)/constraints.txt
	$(OLD)/bin/python -m pip install --disable-pip-version-check --quiet -c $(OLD)/constraints.txt \
		'diffusers==$(OLDEST)' -e '.[dev]'
	touch $@

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks.quality
	$(BIN)/python -m benchmarks.study
	$(BIN)/python -m benchmarks.speed

bench-quick: install
	$(BIN)/python -m benchmarks.quality --quick
	$(BIN)/python -m benchmarks.speed --quick

pictures: install
	$(BIN)/python -m benchmarks.pictures

screenshots: install
	$(BIN)/python -m benchmarks.screenshots

clean:
	rm -rf $(VENV) $(OLD) $(QUANTISERS) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
