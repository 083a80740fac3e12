# Every target sets up what it needs from python3 alone (scripts/environment.py; uv is used where there is one).
#   make test PYTHON=3.13          with another Python, in an environment of its own
#   make test ARGS='-k volumes'    more arguments for pytest

PYTHON ?=
ARGS ?=
# Where `make example` keeps its runs.
export KADE2KFP_HOME ?= $(CURDIR)/build/kade2kfp
RUN = @python3 scripts/environment.py --python "$(PYTHON)"
MAKEFLAGS += --no-print-directory
SHELL = /bin/sh

.PHONY: help setup example test test-pythons mutations check formatting lint types imports faults schema stale-goldens stale-docs
.PHONY: format goldens docs wheel bench clean

help:
	@echo 'make example   compile examples/iris to build/iris.yaml, and run it on this machine'
	@echo 'make test      all tests, in parallel'
	@echo 'make check     formatting, lint, types, imports, stale schema, goldens and manual'
	@echo 'make format    format the code, and fix what lint can fix'
	@echo 'make goldens   write the schema and the compiled examples anew'
	@echo 'make docs      write the generated pages of the manual anew, and the words that shells complete'
	@echo 'make wheel     build wheel and sdist into dist/, run the wheel in a clean environment'
	@echo 'make bench     benchmarks'
	@echo 'make test-pythons   all tests on each supported Python that is here'
	@echo 'make mutations   faults put into the compiler one by one: each must be found by a test'
	@echo 'make clean     remove what the targets made'

setup:
	$(RUN)

example:
	@mkdir -p build
	$(RUN) kade2kfp compile examples/iris/pipeline.json -o build/iris.yaml
	$(RUN) kade2kfp run examples/iris/pipeline.json --set data_url=file://$(CURDIR)/examples/iris/data/iris.data

test:
	@scripts/packages.sh --note
	$(RUN) python -m pytest -n auto --dist worksteal $(ARGS)

mutations:
	$(RUN) python scripts/mutations.py $(ARGS)

test-pythons:
	$(RUN) python scripts/pythons.py $(ARGS)

# All of them, also when one fails: one run tells all.
check:
	@$(MAKE) --keep-going formatting lint types imports faults schema stale-goldens stale-docs
	@echo 'check: nothing to say'

formatting:
	$(RUN) scripts/quietly.sh ruff format --check .

lint:
	$(RUN) scripts/quietly.sh ruff check .

types:
	$(RUN) scripts/quietly.sh mypy

imports:
	$(RUN) scripts/quietly.sh lint-imports --no-cache

# Each deliberate fault still fits the code that it is put into.
faults:
	$(RUN) scripts/quietly.sh python scripts/mutations.py --list

schema:
	$(RUN) kade2kfp schema --check
	$(RUN) kade2kfp schema describe --check
	$(RUN) kade2kfp schema rules --check

stale-goldens:
	$(RUN) scripts/goldens.sh --check

stale-docs:
	$(RUN) python scripts/docs.py --check
	$(RUN) python scripts/words.py --check

format:
	$(RUN) ruff check --quiet --fix-only .
	$(RUN) ruff format --quiet .

goldens:
	$(RUN) scripts/goldens.sh

docs:
	$(RUN) python scripts/docs.py
	$(RUN) python scripts/words.py

wheel:
	$(RUN) python scripts/wheel.py

bench:
	$(RUN) python benchmarks/run.py $(ARGS)

clean:
	@rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -path ./.venv -prune -o -path ./.cache -prune -o -name __pycache__ -type d -exec rm -rf {} +
