# make figures   the environment in .venv, then every figure at scale demo
# make test      the same environment, then all tests but those of the targets below
# make test-workflow   whole workflows (demo, tutorial, GPU rehearsal) and their accidents: kills, full disks
# make test-slurm   the workflow on SLURM, two nodes on this host; as root, installs Debian's SLURM
# make test-extras  with Lightning, TensorBoard and ONNX, in an environment of its own
# make test-browser  the explorer in Chromium, which it installs where there is none, as root, by apt-get
# make soak      forty kills at random moments, against an undisturbed run (docs/faults.md)
# make bench     times against what one would otherwise write and against the machine's limit
# make docs      the pages of docs/ as a site in build/site; links are checked, warnings are errors
# make lint      style of Python and rules, and Snakemake's own lint
#
# The environment takes the first of python3, python3.13, python3.12 and python3.11 that is Python
# 3.11 to 3.13 and can make environments; PYTHON=... chooses another. PIP_OPTIONS goes to pip, such as
#   make figures PIP_OPTIONS="--extra-index-url https://download.pytorch.org/whl/cpu"
# which takes PyTorch's CPU build instead of the larger one for GPUs.

# Recursive, so that only making the environment looks for an interpreter.
FITS = import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
  $$python -c '$(FITS)' 2>/dev/null && echo $$python && break; done)
PIP_OPTIONS ?=
BIN := .venv/bin

.PHONY: figures starting-figures test test-workflow test-slurm test-extras test-browser soak bench \
  docs lint env clean-env

env: .venv/installed

.venv/installed: requirements.txt constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 with venv found:" \
	  "install one (on Debian with python3-venv), or name yours: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(FITS)' || { echo "error: $(PYTHON) does not fit:" \
	  "netdyn needs Python 3.11, 3.12 or 3.13 with venv" >&2; exit 1; }
	@echo "The environment is made by $(PYTHON), $$($(PYTHON) --version)."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_OPTIONS) -r requirements.txt -c constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .
	@touch $@

# The first line of a fresh clone, before the environment is made. Snakemake then says how long its
# jobs take on this machine.
starting-figures:
	@echo "Figures 1 to 7 and the supplement will be in $(CURDIR)/results/demo/figures:"
	@test -e .venv/installed || echo "first the environment is made, for which PyTorch is downloaded;"
	@echo "then they take three to six minutes on two cores, and some seconds where all is there."

figures: starting-figures env
	@cache="$${XDG_CACHE_HOME:-$$HOME/.cache}"; mkdir -p "$$cache" 2>/dev/null && test -w "$$cache" || \
	  { echo "error: $$cache cannot be written to: set XDG_CACHE_HOME to a folder that can" >&2; exit 1; }
	$(BIN)/snakemake figures
	@echo "Figures 1 to 7 and the supplement are in $(CURDIR)/results/demo/figures (PDF and PNG)."

test: env
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-workflow: env
	$(BIN)/python -m pytest -n 2 --dist loadfile -m workflow_runs tests/workflow tests/jobs

test-slurm: env
	$(BIN)/python tests/slurm/cluster.py install
	$(BIN)/python -m pytest -m slurm tests/slurm

# An environment of its own, which has neither Snakemake nor figures.
build/extras/installed: tests/extras/requirements.txt requirements.txt constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 with venv found" >&2; exit 1; }
	$(PYTHON) -m venv build/extras
	build/extras/bin/python -m pip install --disable-pip-version-check $(PIP_OPTIONS) \
	  -r tests/extras/requirements.txt -c requirements.txt -c constraints.txt
	build/extras/bin/python -m pip install --disable-pip-version-check --no-deps -e .
	@touch $@

test-extras: build/extras/installed
	build/extras/bin/python -m pytest -m extras tests/extras

# A folder of its own: nothing else needs what drives the browser.
build/browser/installed: tests/browser/requirements.txt .venv/installed
	$(BIN)/python -m pip install --disable-pip-version-check --upgrade --target build/browser -r $< -c constraints.txt
	@touch $@

test-browser: env build/browser/installed
	$(BIN)/python tests/browser/chromium.py install
	PYTHONPATH=build/browser $(BIN)/python -m pytest -m browser tests/browser
	@echo "Screenshots are in $(CURDIR)/build/screenshots."

soak: env
	$(BIN)/python tests/helpers/soak.py --kills 40 --seed 0 --output results/soak.csv

bench: env
	$(BIN)/python benchmarks/bench.py --output results/bench.csv

# An environment of its own: the pages are built without importing netdyn.
build/docs/installed: docs/requirements.txt
	$(PYTHON) -m venv build/docs
	build/docs/bin/python -m pip install --disable-pip-version-check -r docs/requirements.txt
	@touch $@

docs: build/docs/installed
	build/docs/bin/mkdocs build --strict --quiet
	@echo "The pages are in $(CURDIR)/build/site."

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	-$(BIN)/snakemake --lint

clean-env:
	rm -rf .venv build/extras
