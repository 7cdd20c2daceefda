# `make` alone lists the targets. Each does its own set-up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_PROCESSES ?= 4
# Programs are run as modules: a script's first line cannot name a path with a blank.
LOCKED := tools/install_locked.py
# The hundreds of processes that tests start would each compile all modules.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run demo test coverage check audit lint types imports migrations faults test-live pooled soak fuzz screenshots text-report bench bench-oai docs load lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(VENV)/.python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.run: requirements-standalone.lock setup.cfg pyproject.toml $(LOCKED) | $(VENV)/.python
	@echo "Installing what is needed to run into $(VENV) ..."
	@$(BIN)/python $(LOCKED) $< -e '.[standalone,editable]'
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "Installing what is needed to develop into $(VENV) ..."
	@$(BIN)/python $(LOCKED) $< -e '.[dev,standalone,editable]'
	@touch $@

run: $(VENV)/.run ## serve on :8000, bring one ingestion to its end, stay up
	@$(BIN)/python -m service demo --stay

demo: $(VENV)/.run ## the same, and exit when it has completed; SOURCE=search|ids|oai|snapshot
	@$(BIN)/python -m service demo $(if $(SOURCE),--source $(SOURCE))

$(VENV)-s3/.done: tests/files/s3_server/requirements.lock $(LOCKED) | $(VENV)/.python
	@echo "Installing the S3 server that the tests use into $(VENV)-s3 ..."
	@"$(PYTHON)" -m venv $(VENV)-s3
	@$(VENV)-s3/bin/python $(LOCKED) $< -r $(<:.lock=.in)
	@touch $@

TESTS := $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder -m "not slow_faults"
test: $(VENV)/.dev $(VENV)-s3/.done ## the whole test suite
	@$(TESTS)

coverage: $(VENV)/.dev $(VENV)-s3/.done ## the same, and which lines and branches it ran
	@$(TESTS) --cov --cov-report=term:skip-covered --cov-fail-under=95

$(VENV)-generated/.done: tests/faults/generated_client/requirements.lock $(LOCKED) | $(VENV)/.python
	@echo "Installing what generates a client of the API into $(VENV)-generated ..."
	@"$(PYTHON)" -m venv $(VENV)-generated
	@$(VENV)-generated/bin/python $(LOCKED) $< -r $(<:.lock=.in)
	@touch $@

faults: $(VENV)/.dev $(VENV)-s3/.done $(VENV)-generated/.done ## every case of the fault list, the slow ones too
	@$(BIN)/python -m pytest tests/faults tests/jobs/test_chaos.py tests/jobs/test_schedules.py tests/cli/test_demo.py

test-live: $(VENV)/.dev ## what differs between arXiv today and docs/arxiv.md: asks arXiv itself, slowly; never in CI
	@$(BIN)/python -m tests.live $(LIVE)

pooled: $(VENV)/.dev $(VENV)-s3/.done ## the tests of the database, with PgBouncer in between
	@$(BIN)/python -m pytest --through-pgbouncer -m "not slow_faults" tests/db tests/jobs tests/api

soak: $(VENV)/.dev ## disturb a fleet for half an hour; options in SOAK, as in SOAK="--seed 2"
	@$(BIN)/python -m tests.soak $(SOAK)

fuzz: $(VENV)/.dev ## try the API at length with schemathesis; options in FUZZ, as in FUZZ="--examples 500 --seed 2"
	@$(BIN)/python -m tests.fuzz $(FUZZ)

screenshots: $(VENV)/.dev ## write the pictures of the operators' page into docs/images
	@$(BIN)/python -m pytest -q tests/web/test_ops_page.py -k axe --screenshots

text-report: $(VENV)/.dev ## how true the text of sample PDFs is; options in TEXT, as in TEXT="--folder pdfs"
	@$(BIN)/python -m tests.text_report $(TEXT)

$(VENV)-bench/.done: benchmarks/requirements.lock $(LOCKED) | $(VENV)/.python
	@echo "Installing what the benchmarks compare with into $(VENV)-bench ..."
	@"$(PYTHON)" -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python $(LOCKED) $< -r $(<:.lock=.in)
	@touch $@

bench: $(VENV)/.dev $(VENV)-bench/.done ## measure; BENCH=status: only that one
	@$(BIN)/python -m benchmarks $(BENCH)

bench-oai: $(VENV)/.dev ## a disturbed harvest of 100,000 records, an audit that heals; options in OAI, as in OAI="--papers 10000"
	@$(BIN)/python -m benchmarks.oai $(OAI)

$(VENV)-docs/.done: docs/requirements.lock $(LOCKED) | $(VENV)/.python
	@echo "Installing what the documents' site is made with into $(VENV)-docs ..."
	@"$(PYTHON)" -m venv $(VENV)-docs
	@$(VENV)-docs/bin/python $(LOCKED) $< -r $(<:.lock=.in)
	@touch $@

docs: $(VENV)-docs/.done ## the documents as a site in site/; fails on a link that leads nowhere
	@NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/python -m mkdocs build --strict --quiet
	@echo "site/index.html"

$(VENV)-load/.done: tests/load/requirements.lock $(LOCKED) | $(VENV)/.python
	@echo "Installing what plays callers into $(VENV)-load ..."
	@"$(PYTHON)" -m venv $(VENV)-load
	@$(VENV)-load/bin/python $(LOCKED) $< -r $(<:.lock=.in)
	@touch $@

load: $(VENV)/.run $(VENV)-load/.done ## play callers; options in LOAD, as in LOAD="--url http://… --users 200"
	@$(BIN)/python -m tests.load $(LOAD)

check: lint types imports migrations docs test ## all that CI runs

lint: $(VENV)/.dev ## format and lint
	@$(BIN)/python -m ruff format --check . && $(BIN)/python -m ruff check .

types: $(VENV)/.dev ## mypy --strict
	@$(BIN)/python -m mypy

imports: $(VENV)/.dev ## layers: imports go down only
	@$(BIN)/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --config setup.cfg

migrations: $(VENV)/.dev ## models and migrations agree, on a database of its own
	@DATA_DIR=$$(mktemp -d) sh -c '$(BIN)/python -m service db upgrade && $(BIN)/python -m service db check; code=$$?; rm -rf "$$DATA_DIR"; exit $$code'

audit: $(VENV)/.dev ## known advisories against what is pinned; asks pypi.org
	@$(BIN)/python -m pip_audit --strict --disable-pip --require-hashes -r requirements.lock
	@$(BIN)/python -m pip_audit --strict --disable-pip --require-hashes -r requirements-standalone.lock
	@$(BIN)/python -m pip_audit --strict --disable-pip --require-hashes -r requirements-extras.lock
	@$(BIN)/python -m pip_audit --strict --disable-pip --require-hashes -r requirements-dev.lock

LOCK := uv pip compile -q --upgrade --universal --generate-hashes --no-header --python-version 3.11
WITH_ALL := --extra standalone --extra editable
lock: $(VENV)/.dev ## refresh the pinned versions
	@$(BIN)/python -m $(LOCK) setup.cfg -o requirements.lock
	@$(BIN)/python -m $(LOCK) $(WITH_ALL) -c requirements.lock setup.cfg -o requirements-standalone.lock
	@$(BIN)/python -m $(LOCK) $(WITH_ALL) --extra dev -c requirements-standalone.lock setup.cfg -o requirements-dev.lock
	@$(BIN)/python -m $(LOCK) --extra parquet --extra otel -c requirements-dev.lock setup.cfg -o requirements-extras.lock

clean: ## remove .venv, caches and local data
	rm -rf $(VENV) $(VENV)-bench $(VENV)-docs $(VENV)-generated $(VENV)-load $(VENV)-s3 site load-report.html .mypy_cache .ruff_cache .pytest_cache .coverage htmlcov *.egg-info var
