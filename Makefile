# The only list of commands. `make setup` makes .venv; everything else runs in it.
PYTHON ?= python3
BIN := .venv/bin
# They strike what is their own, one process at a time, so they can stand beside others; the rest of tests/faults wants the machine for itself.
STRUCK := tests/faults/test_log_kills.py tests/faults/test_witness_kills.py tests/faults/test_oversight_kills.py tests/faults/test_rewound.py

.PHONY: setup check test faults interop attacks bench year generate stories up demo lock

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing what requirements.lock names (about a minute the first time)"
	@$(BIN)/python -m pip install --disable-pip-version-check -q --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m referral.wire.schema.generate --check
	$(BIN)/python -m referral.cli.policy.reference --check
	$(BIN)/pytest -q -n 2 tests/unit

test: check
	$(BIN)/pytest -q -n 3 --dist loadgroup -m "not long" tests/stories tests/integration tests/interop tests/attacks/test_attacks.py tests/attacks/test_rewritten.py tests/web $(STRUCK)
	$(BIN)/pytest -q tests/faults $(addprefix --ignore=,$(STRUCK))

faults: setup
	REFERRAL_KILL_STEP=1 $(BIN)/pytest -q $(STRUCK)
	$(BIN)/pytest -q -m long tests/integration
	$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED))

interop: setup
	$(BIN)/pytest -q tests/interop

attacks: setup
	$(BIN)/python -m tests.attacks
	$(BIN)/python -m tests.attacks.figures
	$(BIN)/pytest -q -n 2 tests/attacks

bench: setup
	$(BIN)/python -m bench $(if $(JSON),--json $(JSON))

year: setup
	$(BIN)/python -m tests.harness.line.year

stories: setup
	$(BIN)/pytest -q tests/stories --update

up: setup
	$(BIN)/referral up

demo: setup
	$(BIN)/referral demo$(if $(PATHWAYS), --pathways $(PATHWAYS))

generate: setup
	$(BIN)/python -m referral.wire.schema.generate
	$(BIN)/python -m referral.cli.policy.reference
	$(BIN)/python -m tests.harness.architecture

lock: setup
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras pyproject.toml -o requirements.lock
