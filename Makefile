# The only list of commands: `make help` displays it. `make setup` makes .venv; everything else runs in it.
PYTHON ?= python3
BIN := .venv/bin
# Compiled modules are kept, whatever the shell says: each process of a stack compiles the project anew without them (0.25 s of CPU, measured).
unexport PYTHONDONTWRITEBYTECODE
# Each of these kills every system call of a process in turn when `make faults` asks for it.
STRUCK := tests/faults/test_log_kills.py tests/faults/test_witness_kills.py tests/faults/test_oversight_kills.py tests/faults/test_rewound.py tests/integration/notifier/test_channel_kills.py

# Made from the schemas, and in no commit; installing this project makes them too (setup.py).
CODECS := referral/wire/compiled/__init__.py

.PHONY: help setup tools check test image release deploy-test faults clocks interop attacks bench peers year generate freeze stories pictures up demo lock

help: ## this table
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

setup: .venv/ready $(CODECS) ## make .venv from requirements.lock, and the codecs; every other target does this first

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing what requirements.lock names (about a minute the first time)"
	@$(BIN)/python -m pip install --disable-pip-version-check -q --use-pep517 --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

$(CODECS): schemas/avro $(wildcard schemas/avro/*.avsc) $(wildcard referral/wire/schema/*.py) | .venv/ready
	@$(BIN)/python -m referral.wire.schema.generate codecs
	@touch $@

tools: ## install what only some tests need (browser, telephones, Prometheus ...) from Debian, as root; else name it
	@bash tests/tools.sh

check: setup ## the quick checks: style, types, layers, generated files, unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m referral.wire.schema.generate --check
	$(BIN)/python -m referral.cli.policy.reference --check
	@# mypy takes one of two processors for 20 s when it has no cache: it runs beside the tests, and speaks after them.
	$(BIN)/mypy >.venv/types 2>&1 & types=$$!; $(BIN)/pytest -q -n 2 tests/unit; units=$$?; \
	wait $$types; types=$$?; cat .venv/types; exit $$((units || types))

# Four at a time keep two processors busy; of six each takes twice the time, as every one is a whole line (measured).
test: tools check ## every test but the long ones, as CI runs them: check, stories, integration, web, kills
	$(BIN)/pytest -q -n 4 --dist loadgroup -m "not long" tests/stories tests/integration tests/interop tests/attacks/test_attacks.py tests/attacks/test_rewritten.py tests/attacks/test_observer.py tests/web tests/faults

image: setup ## build the images of this commit (services, oversight, broker, database) into dist/, and print their digests; as root
	@mkdir -p dist; for name in $(or $(IMAGES),services oversight broker database); do \
	  echo "$$name $$(bash deploy/image/build.sh $$name dist/referral-$$name.tar)"; done

release: setup ## write a release of this commit into dist/: wheel, images, what they are made of, sums; as root
	bash deploy/release.sh

deploy-test: tools setup ## what needs containers, clusters or root: images, compose, Kubernetes, lost servers, restore
	$(BIN)/python -m tests.deploy

faults: setup ## the long tests, and every process killed in turn under load; SEED=n repeats a run
	REFERRAL_KILL_STEP=1 $(BIN)/pytest -q $(STRUCK)
	$(BIN)/pytest -q -m long tests/integration tests/web
	$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED))

clocks: tools setup ## unit tests, stories, pages, and tests of notifier and intake, on a Monday morning, a Saturday night, New Year's Eve, and the nights of both clock changes
	$(BIN)/python -m tests.harness.clocks $(CLOCKS)

interop: setup ## let programs of other people read what we write: Go, TypeScript, Java
	$(BIN)/pytest -q tests/interop

attacks: setup ## attack the line in every known way; display who notices, and who can stop it (an hour)
	$(BIN)/python -m tests.attacks
	$(BIN)/python -m tests.attacks.figures
	$(BIN)/python -m tests.attacks.observer
	$(BIN)/pytest -q -n 2 tests/attacks
	$(BIN)/python -m tests.attacks stops

bench: setup ## measure and display the figures; JSON=file writes them down
	$(BIN)/python -m bench $(if $(JSON),--json $(JSON))

year: setup ## live a year of 400 made-up cases for the oversight figures
	$(BIN)/python -m tests.harness.line.year

freeze: setup ## keep the rules of this checkout as engines/N.zip, once, before a change of decisions
	$(BIN)/python -m tests.harness.freeze

stories: setup ## run the stories, and write anew what follows from each
	$(BIN)/pytest -q tests/stories --update

pictures: setup ## take the pictures of docs/story.md again, and count taps and typed characters anew
	REFERRAL_STORY=write $(BIN)/pytest -q tests/web/test_story.py

up: setup ## start the whole line here, with addresses and demo accounts; Ctrl-C ends it
	$(BIN)/referral up

demo: setup ## one made-up referral from the first call to the audit; PATHWAYS=all: each procedure
	$(BIN)/referral demo$(if $(PATHWAYS), --pathways $(PATHWAYS))

generate: setup ## write generated files anew: events, codecs, reference pages, map of the code
	$(BIN)/python -m referral.wire.schema.generate
	$(BIN)/python -m referral.cli.policy.reference
	$(BIN)/python -m tests.harness.need_to_know
	$(BIN)/python -m tests.harness.dashboards
	$(BIN)/python -m tests.attacks.taken_over
	$(BIN)/python -m tests.harness.limits

peers: setup .venv/peers/ready ## measure our loop beside others on the same records, on a quiet machine; ARGS passes options
	$(BIN)/python -m bench.peers $(ARGS)

.venv/peers/ready: bench/peers/requirements.lock
	@echo "installing what bench/peers/requirements.lock names"
	@$(PYTHON) -m venv .venv/peers
	@.venv/peers/bin/python -m pip install --disable-pip-version-check -q --require-hashes -r $<
	@touch $@

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url pyproject.toml
# The files that go into images say nothing of how they were made.
INSIDE := --no-annotate --no-header -c requirements.lock

lock: setup ## resolve the dependencies of pyproject.toml into requirements.lock, those of the images, and those of the peers
	$(COMPILE) --all-extras -o requirements.lock
	$(COMPILE) $(INSIDE) -o deploy/image/services.lock
	$(COMPILE) $(INSIDE) --extra oversight -o deploy/image/oversight.lock
	$(COMPILE) --group peers -o bench/peers/requirements.lock
