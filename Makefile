# Two commands for a user: `make demo` and `make test`. Both set up what they need; `make install` does only what the first needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TESTABLE := $(VENV)/.testable
DEMO := runs/demo
# torch has other files for each processor and GPU, from other indexes: by its version alone, and what comes with it too
UNHASHED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cupti cuda-nvrtc \
	cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)

.PHONY: demo install test test-long test-faults browser postgres check docs hashes clean

demo: $(INSTALLED)
	$(BIN)/lpienas search --out $(DEMO) --budget 300M --trials 24 --steps 150 --confirm 7 \
		--full-steps 1000 --seeds 1
	$(BIN)/lpienas front $(DEMO) --plot $(DEMO)/front.png --force
	$(BIN)/lpienas compress $(DEMO) --pick knee --steps 200 --prune 0.15 --name demo
	$(BIN)/lpienas export $(DEMO) --size 256x256
	$(BIN)/lpienas samples --out $(DEMO)/photos --force
	$(BIN)/lpienas enhance $(DEMO) $(DEMO)/photos/noisy/flower.png -o $(DEMO)/enhanced.png --force \
		--compare $(DEMO)/before-after.png
	$(BIN)/lpienas evaluate $(DEMO) $(DEMO)/exported/demo/lpienet_* --data $(DEMO)/photos
	$(BIN)/lpienas report $(DEMO) --force
	@echo "This was a demo: trainings of 1000 steps, where full training means 6000 and published figures 12000"
	@echo "Results are in $(DEMO): report.html (open it in a browser), front.png, before-after.png, summary.json (every figure), exported/demo/ (files for phones)"

install: $(INSTALLED)
	@echo "Installed in $(VENV): source $(BIN)/activate"

test: $(TESTABLE) browser postgres
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not long"

test-long: $(TESTABLE)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m long

test-faults: $(TESTABLE)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/faults.py $(FAULTS)

browser: $(TESTABLE)
	tests/install-browser $(BIN)/python

postgres: $(TESTABLE)
	tests/install-postgres $(BIN)/python

check: $(TESTABLE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy benchmarks/*.py examples/*.py

docs: $(TESTABLE)
	$(BIN)/python docs/notebook.py
	$(BIN)/sphinx-build -W --keep-going -q -c docs . build/site
	@echo "The pages are in build/site/index.html (open it in a browser)"

hashes: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv ==0.13.*'
	printf '# %s\n' 'What the demo needs, each file by its hash, for all systems: `make hashes` wrote this from setup.cfg and' \
		'constraints.txt. torch is not in it, whose file is another one for each processor, GPU and index: it is' \
		'installed in a step of its own, by its version in constraints.txt.' >requirements.txt
	$(BIN)/uv pip compile setup.cfg --extra export --constraint constraints.txt --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --quiet $(addprefix --no-emit-package=,$(UNHASHED)) >>requirements.txt

$(INSTALLED): setup.cfg pyproject.toml constraints.txt requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lpienas needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes \
		--requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt \
		--editable '.[export]'  # compiled when imported: most of it never is
	touch $@

$(TESTABLE): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt \
		--editable '.[dev]'
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # as pip does, but on all processors
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
