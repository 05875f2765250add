# Everything a person needs: up, test, bench; and for those who change the code: chaos, lint, format, lock.
SHELL  := /bin/bash
PYTHON ?= python3
BIN    := .venv/bin
ARGS   ?=

.PHONY: up test bench chaos lint format lock clean

up: .venv/ready
	@exec $(BIN)/spotmill up $(ARGS)

# With ARGS, only what they ask pytest for. Most tests wait for other processes most of the time, so three go at once; the
# short files come last, as no core should be idle in the end.
test: .venv/ready chromium spin lint
	$(BIN)/python -m pytest $(or $(ARGS),--numprocesses 3 --dist loadfile --no-loadscope-reorder)
	$(if $(ARGS),,$(BIN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES))

# Break a whole local mill for some minutes and check that nothing is lost; the seed decides what is broken, and when.
SEED    ?= 1
MINUTES ?= 3
chaos: .venv/ready
	$(BIN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES) $(ARGS)

bench: .venv/ready
	$(BIN)/python -m bench $(ARGS)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/ready
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.venv/ready: pyproject.toml locks/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Spotmill needs Python 3.11 or newer; set PYTHON=/path/to/python" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up .venv (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r locks/dev.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Proves what docs/durability.md promises; ARGS="--tell MARK" tells what happens without that guard.
.PHONY: model
model: .venv/ready spin
	$(BIN)/python -m tests.model $(ARGS)

.PHONY: spin
spin:
	@bash tests/model/spin.sh

# The browser tests need a Chromium; as root on Debian it is installed, otherwise the script says what to do.
.PHONY: chromium
chromium:
	@bash tests/browser/chromium.sh

# Into a Google Cloud project, and away again: docs/deploy.md. Nothing is installed for it but gcloud and terraform.
PROJECT ?=
REGION  ?=
DEPLOY   = $(PYTHON) -m deploy $(1) --project "$(or $(PROJECT),$(error PROJECT=… is missing))" $(if $(REGION),--region $(REGION)) $(ARGS)
.PHONY: deploy destroy smoke logs open cost
deploy:
	@$(call DEPLOY,deploy)

destroy:
	@$(call DEPLOY,destroy)

smoke:
	@$(call DEPLOY,smoke)

logs:
	@$(call DEPLOY,logs) $(if $(JOB),--job $(JOB))

open:
	@$(call DEPLOY,open)

cost: .venv/ready
	@$(BIN)/spotmill cost $(ARGS)

# One lock for development, one for each process; `make lock ARGS=--upgrade` raises every version.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header $(ARGS)
lock: .venv/ready
	$(LOCK) --all-extras --group dev pyproject.toml -o locks/dev.txt
	$(LOCK) --extra cloud --extra web pyproject.toml -o locks/web.txt
	$(LOCK) --extra cloud --extra dispatcher pyproject.toml -o locks/dispatcher.txt
	$(LOCK) --extra analysis --extra cloud --extra speech --extra video --extra worker pyproject.toml -o locks/worker.txt
	$(LOCK) --group pyproject.toml:gpu -o locks/worker-gpu.txt
	$(LOCK) --group pyproject.toml:build -o locks/build.txt
	$(LOCK) bench/control_plane/peers/requirements.in -o bench/control_plane/peers/requirements.txt

clean:
	rm -rf .venv .data .bench build *.egg-info .mypy_cache .ruff_cache .pytest_cache
