# Every command of the project; `make` alone lists them. Each makes .venv first, where it needs one.
#   make PYTHON=python3.12 setup   takes that interpreter instead of the first suitable one on the PATH

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PORT ?= 5000
LOCALE := experiments/report/locale

# DVC runs each stage through a shell, which must find this environment's python.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*  ## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(INSTALLED)  ## make .venv with everything the project needs, exact versions by hash
	@:

# A folder that was downloaded as an archive is no git repository, which DVC has to be told.
repro: $(INSTALLED)  ## run every stage whose settings, code or data changed
	@test -e .git || git rev-parse --git-dir > /dev/null 2>&1 || $(BIN)/dvc config --local core.no_scm true
	@$(BIN)/dvc repro

# A test file stays in one process, with what it sets up once; by their names the longest files don't come last.
# The trainings of these tests are so short that the simplest machine code is ready and run soonest.
test: $(INSTALLED)  ## run the tests
	@XLA_FLAGS="--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true" \
	    $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

reference: $(INSTALLED)  ## reproduce published results (slow)
	@$(BIN)/pytest -m 'reference and not long'

lint: $(INSTALLED)  ## check style, formatting, types, and which folder may import which
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports
	@$(BIN)/mypy

check: $(INSTALLED)  ## compare what DVC, Optuna and MLflow say of the last run, number by number
	@$(BIN)/python -m experiments.check

report: $(INSTALLED)  ## open the report in the browser
	@$(BIN)/python -m experiments.report --open

# What installs an extra that is no part of the lock, if a module of it is missing; what is there already stays as it is.
with_extra = $(BIN)/python -c 'import $(2)' 2> /dev/null || \
    $(BIN)/pip install -qqq --no-build-isolation -e '.[$(1)]' || \
    { echo "error: the extra $(1) cannot be installed; $(BIN)/pip install -e '.[$(1)]' says why" >&2; exit 2; }

bench: $(INSTALLED)  ## measure the speed next to what others use, in two hours or more (make bench ONLY=epochs: one part)
	@$(call with_extra,bench,keras_tuner; import optuna_integration; import tensorboard; import jax)
	@$(BIN)/python -m experiments.benchmarks $(ONLY)

docs: $(INSTALLED)  ## build the documentation, docs/_build/html/index.html
	@$(call with_extra,docs,furo; import myst_parser)
	@$(BIN)/sphinx-build -qnW --keep-going docs docs/_build/html
	@echo "docs/_build/html/index.html"

# Chinese lacks what is new until its msgstr is written into report.po; then this compiles it. A test holds both.
translations: $(INSTALLED)  ## collect the sentences of the report for its other languages, and compile these
	@pot=$$(mktemp) && trap 'rm -f "$$pot"' EXIT && \
	$(BIN)/pybabel -q extract -F pyproject.toml -k counted:1,2 -k N_ --add-location=file --sort-by-file -w 120 \
	    --project=overfitting-study -o "$$pot" experiments/report pipeline/data/sentences.py && \
	$(BIN)/pybabel -q update -i "$$pot" -d $(LOCALE) -D report -w 120 -N --ignore-obsolete --ignore-pot-creation-date && \
	$(BIN)/pybabel -q compile -d $(LOCALE) -D report

linkcheck: $(INSTALLED)  ## see whether the links of the documentation lead somewhere; needs a network
	@$(call with_extra,docs,furo; import myst_parser)
	@$(BIN)/sphinx-build -q -b linkcheck docs docs/_build/linkcheck

# One worker alone would end in a traceback at Ctrl-C; MLflow's job queue (five processes) serves nothing here.
ui: $(INSTALLED)  ## compare the runs in the browser, http://127.0.0.1:5000 (make ui PORT=5001: another port)
	@echo "http://127.0.0.1:$(PORT)/#/experiments?workflowType=machine_learning shows the runs in a few seconds; Ctrl-C ends it."
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false PYTHONWARNINGS=ignore \
	    $(BIN)/mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db \
	    --registry-store-uri sqlite:///mlruns/mlflow.db --host 127.0.0.1 --port $(PORT) \
	    --workers 2 --uvicorn-opts '--log-level warning'

dashboard: $(INSTALLED)  ## look at the searches in the browser, http://127.0.0.1:8080
	@$(BIN)/python -m experiments.search.dashboard

lock:  ## renew requirements.lock with the newest versions that pyproject.toml allows
	@$(FIND_PYTHON); \
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	$$python -m venv "$$tools" && \
	"$$tools/bin/python" -m pip install -qq uv && \
	"$$tools/bin/uv" pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-header --no-emit-index-url --no-emit-find-links --extra search --extra tracking --extra stages \
	    --extra notebook --extra dev --extra cluster pyproject.toml -o "$$tools/lock" && \
	if cmp -s "$$tools/lock" requirements.lock; then echo 'requirements.lock is up to date'; \
	else cat "$$tools/lock" > requirements.lock; echo 'requirements.lock is new; make setup installs it'; fi

# A new lock means a new .venv, so that nothing stays behind; a new pyproject.toml alone only a new link to our packages.
# The stamp goes first and comes back last: a .venv without it was left unfinished, and is made anew.
# --no-build-isolation: what is built from source is built with the locked setuptools, not with one taken unchecked.
# -qq: pip's warnings are about the machine's own settings; its errors still show.
$(INSTALLED): requirements.lock pyproject.toml
	@$(FIND_PYTHON); \
	pip="$(BIN)/python -m pip install -qq --compile --no-build-isolation"; \
	rm -f $@ && \
	if [ -n "$(filter-out pyproject.toml,$?)" ]; then \
	    echo "Installing into $(VENV) with $$($$python -V); this takes about two minutes, once." && \
	    $$python -m venv --clear $(VENV) && \
	    sed -n '/^setuptools==/,/[^\]$$/p' requirements.lock > $(VENV)/setuptools.lock && \
	    $$pip --require-hashes -r $(VENV)/setuptools.lock && \
	    $$pip --require-hashes -r requirements.lock; \
	fi && \
	$$pip --no-deps -e . && \
	touch $@

# An interpreter asked for by name counts, even when .venv is complete with another one.
version_of = $(shell $(1) -V 2>&1 || :)
ifdef PYTHON
ifneq ($(call version_of,$(PYTHON)),$(call version_of,$(BIN)/python))
$(INSTALLED): other-python
endif
endif

# Shell code that puts the first interpreter that will do into $$python, or says in one line what is wrong with the first.
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
define FIND_PYTHON
for name in $(PYTHONS); do python=$$($$name -c "$$CHECK_PYTHON" 2> /dev/null) && break; done; \
if [ -z "$$python" ]; then \
    problem=$$($(firstword $(PYTHONS)) -c "$$CHECK_PYTHON" 2>&1 | head -n 1); \
    echo "error: $$problem; Python 3.11, 3.12 or 3.13 is needed (make PYTHON=/path/to/python3.12 setup)" >&2; \
    exit 2; \
fi
endef

# The interpreter may be that of .venv itself, which is about to go; so name the one beneath.
define CHECK_PYTHON
import sys
name = "%s (Python %d.%d)" % ((sys.executable,) + sys.version_info[:2])
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(name + " does not fit")
try:
    import ensurepip
except ImportError:
    sys.exit(name + " lacks ensurepip, which Debian and Ubuntu have in the package python%d.%d-venv" % sys.version_info[:2])
print(getattr(sys, "_base_executable", sys.executable))
endef
export CHECK_PYTHON

.PHONY: help setup repro test reference lint check report bench docs linkcheck ui dashboard lock other-python
