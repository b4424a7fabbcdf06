# make figures   the environment in .venv, then every figure at scale demo
# make test      the same environment, then all tests
# make test-slurm   the workflow on SLURM, two nodes on this host; as root, installs Debian's SLURM
# make soak      forty kills at random moments, against an undisturbed run (docs/faults.md)
# make bench     times against what one would otherwise write and against the machine's limit
# make lint      style of Python and rules, and Snakemake's own lint
#
# PYTHON chooses the interpreter; PIP_OPTIONS goes to pip, such as
#   make figures PIP_OPTIONS="--extra-index-url https://download.pytorch.org/whl/cpu"
# which takes PyTorch's CPU build instead of the larger one for GPUs.

PYTHON ?= python3.11
PIP_OPTIONS ?=
BIN := .venv/bin

.PHONY: figures test test-slurm soak bench lint env clean-env

env: .venv/installed

.venv/installed: requirements.txt constraints.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: $(PYTHON) not found: install Python 3.11, or name yours: make PYTHON=python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_OPTIONS) -r requirements.txt -c constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .
	@touch $@

figures: env
	$(BIN)/snakemake figures
	@echo "Figures 1 to 7 and the supplement are in $(CURDIR)/results/demo/figures (PDF and PNG)."

test: env
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slurm: env
	$(BIN)/python tests/slurm/cluster.py install
	$(BIN)/python -m pytest -m slurm tests/slurm

soak: env
	$(BIN)/python tests/helpers/soak.py --kills 40 --seed 0 --output results/soak.csv

bench: env
	$(BIN)/python benchmarks/bench.py --output results/bench.csv

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	-$(BIN)/snakemake --lint

clean-env:
	rm -rf .venv
