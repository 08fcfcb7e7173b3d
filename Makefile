# Everything a person does here. Each target does its own set-up; `make demo` is a good first one.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Idle OpenMP threads sleep instead of spinning: on a few cores shared with others it is much faster.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: install lock demo app test test-quick test-contract test-browser test-comfyui test-compile test-faults \
	test-hostile test-examples test-families test-matrix test-oldest test-wheels docs coverage check bench bench-quick pictures \
	screenshots which-settings clean

PIP := -m pip install --disable-pip-version-check --quiet
# HASHES=1, as CI has it: nothing but files whose hashes stand in .ci/hashes/. HASHES=cuda: with torch's build for CUDA.
HASHES ?=
CHECKED := $(PIP) --require-hashes --no-deps --only-binary :all:
TORCH := $(if $(filter cuda,$(HASHES)),-r .ci/hashes/torch-cuda.txt -r .ci/hashes/cuda.txt,-r .ci/hashes/torch-cpu.txt)
OURS := --no-deps --no-build-isolation -e . -e ./shapeworld

install: $(STAMP)

$(STAMP): pyproject.toml shapeworld/pyproject.toml constraints.txt $(wildcard .ci/hashes/*.txt)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifneq ($(HASHES),)
	$(BIN)/python $(CHECKED) $(TORCH) -r .ci/hashes/all.txt
	$(BIN)/python $(PIP) $(OURS)
else
	$(BIN)/python $(PIP) -c constraints.txt -e '.[all,dev]' -e './shapeworld[train]'
endif
	touch $@

# The hashes anew, after constraints.txt has changed.
lock:
	$(PYTHON) .ci/hashes.py $(OLDEST)

# The demo's picture; it ends with what to try next.
demo: install
	$(BIN)/fouriscale demo --out outputs/demo.png

# The page, on a shipped model; `.venv/bin/fouriscale page --help` has the switches.
app: install
	$(BIN)/fouriscale page

# Two processes of one thread each: faster than one of two threads, and far faster beside other work.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
test: install
	$(PYTEST) -n 2 --dist loadfile

# Without what takes long: about a minute.
test-quick: install
	$(PYTEST) -q -n 2 -m 'not slow'

# What is leaned on of others, the rooms' names, and the authors' own latents: where something upstream changed, first.
test-contract: install
	$(PYTEST) -q tests/contract

# `make test`, and how much of the code it ran.
coverage: install
	$(PYTEST) -n 2 --dist loadfile --cov --cov-report=term:skip-covered

# The core's wheel in fresh environments, which pip fills from its index.
test-wheels: install
	$(PYTEST) -q tests/wheels

# Quantisers stand apart from .venv: diffusers imports them wherever they are, and they are noisy without a GPU.
QUANTISERS := .quantisers
test-matrix: install $(QUANTISERS)/.installed
	PYTHONPATH=$(QUANTISERS) $(PYTEST) -q tests/matrix

$(QUANTISERS)/.installed: constraints.txt
ifneq ($(HASHES),)
	$(BIN)/python $(CHECKED) --upgrade --target $(QUANTISERS) -r .ci/hashes/quantisers.txt
else
	$(BIN)/python $(PIP) --no-deps -c constraints.txt --upgrade --target $(QUANTISERS) bitsandbytes torchao
endif
	touch $@

# Every family of padtone, old and new, and its table in docs/padtone.md; about a minute.
test-families: install
	$(PYTEST) -q tests/each_family

# The pictures of README's and the documentation's commands, as the checker sees them; half a minute.
test-examples: install
	$(PYTEST) -q tests/examples

# UNets compiled by torch, in every mode and once by its default backend, which needs a C++ compiler; some minutes.
test-compile: install
	$(PYTEST) -q -n 2 --dist load tests/compile

# Batches whose runs, workers and disks fail.
test-faults: install
	$(PYTEST) -q -n 2 tests/faults

# Ten thousand hostile values instead of a few hundred; some minutes.
test-hostile: install
	PICTURELAB_HOSTILE=25 $(PYTEST) -q tests/hostile

# The page in a real browser: Debian's Chromium, or the one that CHROMIUM names.
test-browser: install
	$(PYTEST) -q tests/browser

# The nodes for ComfyUI, against its source, which is brought by hand: `make test-comfyui COMFYUI=/path`; two minutes.
# What ComfyUI needs there besides what .venv has stands apart from that.
COMFYUI_NEEDS := .comfyui-needs
test-comfyui: install $(COMFYUI_NEEDS)/.installed
	PYTHONPATH=$(COMFYUI_NEEDS) COMFYUI=$(COMFYUI) $(PYTEST) -q tests/comfyui

$(COMFYUI_NEEDS)/.installed:
	$(BIN)/python $(PIP) --no-deps --upgrade --target $(COMFYUI_NEEDS) av einops
	touch $@

# The core on the oldest diffusers of the supported range, which stands apart from .venv with what it needs older.
OLDEST := 0.41.0
OLD := .oldest
test-oldest: install $(OLD)/.installed
	PYTHONPATH=$(OLD) $(BIN)/python -c 'import diffusers; assert diffusers.__version__ == "$(OLDEST)"'
	PYTHONPATH=$(OLD) $(PYTEST) -q tests/contract tests/fouriscale/hooks/test_patch.py \
		tests/fouriscale/test_presets.py tests/fouriscale/sampling/test_generate.py

$(OLD)/.installed: .ci/hashes/oldest.txt
	$(BIN)/python $(CHECKED) --upgrade --target $(OLD) -r .ci/hashes/oldest.txt
	touch $@

# The documentation as a site, in site/; a link that leads nowhere is an error. What it is built with needs nothing of .venv.
WEBSITE := .venv-website
docs: $(WEBSITE)/.installed
	NO_MKDOCS_2_WARNING=1 $(WEBSITE)/bin/mkdocs build --strict --quiet --config-file website/mkdocs.yml

$(WEBSITE)/.installed: constraints.txt $(wildcard .ci/hashes/website.txt)
	test -x $(WEBSITE)/bin/python || $(PYTHON) -m venv $(WEBSITE)
ifneq ($(HASHES),)
	$(WEBSITE)/bin/python $(CHECKED) -r .ci/hashes/website.txt
else
	$(WEBSITE)/bin/python $(PIP) -c constraints.txt mkdocs-material 'mkdocstrings[python]'
endif
	touch $@

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Half a day; quality and study go on where a killed run was, and speed keeps what it has measured. On a GPU:
# `.venv/bin/python -m benchmarks.speed --device cuda --dtype float16`, and text_tokens likewise.
bench: install
	@echo "On 2 free cores: quality 2 hours, study 3, speed 2, operators minutes."
	$(BIN)/python -m benchmarks.quality
	$(BIN)/python -m benchmarks.study
	$(BIN)/python -m benchmarks.studies.modes_picture
	$(BIN)/python -m benchmarks.studies.joint_picture
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.operators

bench-quick: install
	$(BIN)/python -m benchmarks.quality --quick
	$(BIN)/python -m benchmarks.speed --quick

# The table of docs/which-settings.md; two minutes.
which-settings: install
	$(BIN)/python -m benchmarks.which_settings

pictures: install
	$(BIN)/python -m benchmarks.pictures
	$(BIN)/python -m benchmarks.demo_pictures

screenshots: install
	$(BIN)/python -m benchmarks.screenshots

clean:
	rm -rf $(VENV) $(OLD) $(QUANTISERS) $(COMFYUI_NEEDS) $(WEBSITE) site .coverage .import_linter_cache build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
