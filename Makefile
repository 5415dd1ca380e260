# Each target makes .venv when it is not there, or when what it is made from has changed.

PYTHON ?= python3
PYTEST = .venv/bin/pytest -n auto
INSTALLED = .venv/installed

.DEFAULT_GOAL = help
.PHONY: help demo test check bench corpora fuzz soak experiments screenshots clean

help:
	@echo 'make demo          a generated mailbox, downloaded and reported: no account needed'
	@echo 'make test          all tests but those of make corpora, make fuzz and make soak'
	@echo 'make check         format, lint, types, import floors, tests: what CI runs'
	@echo 'make soak          a million messages listed; 200 kills while 2,000 come in (SOAK="--seed 7" has one again)'
	@echo 'make corpora       the tests over the whole of the corpora (INBOXSTATS_CORPORA names their folder)'
	@echo 'make fuzz          100,000 mutated messages, and 64 MB of all that is hostile (SEED=..., COUNT=...)'
	@echo 'make bench         reading and downloading beside other programs (wants Dovecot; BENCH=--quick for a glance)'
	@echo 'make experiments   threads against processes measured anew, for docs/threads-and-processes.md'
	@echo 'make screenshots   the pictures of the README, from the demo (wants Chromium)'
	@echo 'make clean         removes .venv and all that can be made again'
	@echo 'PYTHON=... chooses the Python that .venv is made from'

demo: $(INSTALLED)
	@.venv/bin/inboxstats demo

test: $(INSTALLED)
	@$(PYTEST) -m 'not corpora and not fuzz and not huge'

check: $(INSTALLED)
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PYTEST) -m 'not corpora and not fuzz and not huge'

soak: $(INSTALLED)
	@.venv/bin/pytest -q -m huge tests/test_huge_mailbox.py
	@.venv/bin/python tests/soak.py $(SOAK)
	@STORIES=300 .venv/bin/pytest -q --timeout 1800 tests/faults/test_state_machine.py

corpora: $(INSTALLED)
	@test -n "$$INBOXSTATS_CORPORA" || \
	    { echo 'INBOXSTATS_CORPORA is not set: it names the folder that holds dev-corpus.tar.xz' >&2; exit 1; }
	@$(PYTEST) -m corpora

fuzz: $(INSTALLED)
	@.venv/bin/python tests/fuzz.py $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))
	@$(PYTEST) -m fuzz

bench: $(INSTALLED)
	@.venv/bin/python benchmarks/parse.py $(BENCH)
	@.venv/bin/python benchmarks/fetch.py $(BENCH)

experiments: $(INSTALLED)
	@.venv/bin/python tools/experiments.py

screenshots: $(INSTALLED)
	@.venv/bin/python tools/screenshots.py

clean:
	@rm -rf .venv tests/target build *.egg-info inboxstats/parse/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	    .import_linter_cache
	@find inboxstats tests -name __pycache__ -prune -exec rm -rf {} +

# The stamp comes last, so that an installation that failed is begun again. A .venv without pip is one that Debian's
# python3 leaves where python3-venv is missing.
# What was compiled before goes first: it would stay, and be tested, where the sources have a fault and do not compile.
$(INSTALLED): pyproject.toml constraints.txt $(wildcard compiled/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'inboxstats needs Python 3.11 or newer. Name one: make PYTHON=python3.12 ...' >&2; exit 1; }
	@test -x .venv/bin/pip || $(PYTHON) -m venv --clear .venv
	@rm -f inboxstats/parse/_compiled*.so
	@echo 'Installing into .venv; this takes a minute or two the first time.'
	@.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,dev]'
	@touch $@
