# wattest: `make demo` shows it, `make test` checks it. Everything lives in .venv; nothing is installed elsewhere.
#
#   make setup       the set-up alone, into .venv, from a lock with hashes      USE_UV=0, WHEELHOUSE=dir, PYTHON=python3.12
#   make demo        four validators on this machine and their dashboard         HEADLESS=1, KEEP=dir, RESUME=dir, LAN=1
#   make test        the whole suite
#   make check       format, lint, types, import contracts, docs, 300 simulated networks, and that suite once
#   make broker      a real MQTT broker for the tests, unpacked into .venv where the machine has none
#   make attack      attack a running network of four in every way we know       SHORT=1 for fewer of each
#   make bench       throughput of one node and of four                          QUICK=0 for the longer, steadier run
#   make fuzz        mutated inputs to everything that reads bytes               INPUTS=1000000, SEED=n
#   make vectors     write the test vectors of the protocol, tests/vectors/protocol
#   make sim         simulated networks under faults, SEEDS=0:300; one JSON object at the end  TRACE=1 for one seed
#   make mutants     the product with one rule left out, one at a time: what kills each        ONLY=name, FIRST=simulator
#   make partitions  cut links, kill and starve real nodes                        ROUNDS=100, CLONES=4, SEED=1, VALIDATORS=4,7
#   make stories     random stories of the ledger against a plain model             STORIES=10000, SEED=1
#   make docs        write the pages that are generated from the code
#   make browser     every page in a real Chromium, as a phone and as a desk sees it
#   make pictures    every picture of the documents anew: a demo, its cabinets, a phone, a recording, a statement
#   make lock        resolve the dependencies again                              UPGRADE=1 to take newer versions
#   make wheel       build dist/*.whl
#   make wheelhouse  fetch all wheels for a machine without network              WHEELHOUSE=dir
#   make clean       remove .venv, caches and build results

MAKEFLAGS += --no-print-directory
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
DEV := .venv/.dev-installed
RUN := .venv/.run-installed
LOCKED := tools/setup requirements/uv.txt pyproject.toml
# The demo needs the running lock alone. Where the development lock is installed it serves as well, and stays.
INSTALLED := $(if $(wildcard $(DEV)),$(DEV),$(RUN))
WORKERS ?= 4
VALIDATORS ?= 4,7

export USE_UV WHEELHOUSE PYTHON

.PHONY: help setup demo test check broker attack sim mutants partitions fuzz stories bench vectors docs browser pictures
.PHONY: lock wheel wheelhouse clean

help:
	@sed -n 's/^#   //p' Makefile

$(DEV): $(LOCKED) requirements/dev.lock
	@tools/setup dev
$(RUN): $(LOCKED) requirements/run.lock
	@tools/setup run

setup: $(DEV)
	@echo "wattest is set up in .venv: make demo, make test, or .venv/bin/wattest --help" >&2

demo: $(INSTALLED)
	@$(BIN)/wattest demo $(if $(HEADLESS),--headless) $(if $(LAN),--lan) $(if $(KEEP),--keep "$(KEEP)") $(if $(RESUME),--resume "$(RESUME)")

test: $(DEV)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini tests
	$(BIN)/lint-imports
	@$(MAKE) sim
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

broker: $(DEV)
	@tools/broker

attack: $(DEV)
	@PYTHONPATH=.:tests $(BIN)/python -m attacks $(if $(SHORT),--short)

fuzz: $(DEV)
	@PYTHONPATH=.:tests $(BIN)/python -m harness.fuzz --inputs $(or $(INPUTS),1000000) $(if $(SEED),--seed $(SEED))

bench: $(DEV)
	@$(BIN)/python -m bench.throughput $(if $(filter 0,$(QUICK)),,--quick)

vectors: $(DEV)
	@PYTHONPATH=.:tests $(BIN)/python tools/vectors.py

SEEDS ?= 0:300
sim: $(DEV)
	@PYTHONPATH=.:tests $(BIN)/python -m harness.sim.run $(SEEDS) $(if $(TRACE),--trace)

mutants: $(DEV)
	@PYTHONPATH=.:tests $(BIN)/python -m harness.mutation.gate $(if $(ONLY),--only $(ONLY)) \
		$(if $(filter simulator,$(FIRST)),--simulator-first)

partitions: $(DEV)
	@PYTHONPATH=.:tests $(BIN)/python -m network.rounds --rounds $(or $(ROUNDS),10) --clones $(or $(CLONES),0) \
		--seed $(or $(SEED),1) --validators $(VALIDATORS)

stories: $(DEV)
	@WATTEST_STORIES=$(or $(STORIES),10000) WATTEST_SEED=$(or $(SEED),1) $(BIN)/python -m pytest --timeout=0 -q tests/properties/test_conservation.py

docs: $(DEV)
	@$(BIN)/python tools/reference.py
	@$(BIN)/python tools/layouts.py

browser: $(DEV)
	@WATTEST_BROWSER=1 $(BIN)/python -m pytest tests/browser

pictures: $(DEV)
	@$(BIN)/python tools/pictures.py

# No index address is written into a lock, so that any mirror can serve it; the hashes say what it must serve.
COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --only-binary :all: \
	--python-version 3.11 --python-platform x86_64-manylinux_2_28 --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade)

lock: $(DEV)
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
	$(COMPILE) pyproject.toml requirements/build.in -o requirements/run.lock
	$(COMPILE) pyproject.toml requirements/build.in --group dev -c requirements/run.lock -o requirements/dev.lock

wheel: $(DEV)
	@$(BIN)/hatchling build -t wheel -d dist

wheelhouse: $(DEV)
	@$(BIN)/python -m pip download --quiet --require-hashes --only-binary :all: -d "$(or $(WHEELHOUSE),wheelhouse)" -r requirements/uv.txt
	@$(BIN)/python -m pip download --quiet --require-hashes --only-binary :all: -d "$(or $(WHEELHOUSE),wheelhouse)" -r requirements/dev.lock

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
