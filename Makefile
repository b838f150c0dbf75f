# PYTHON chooses the interpreter, VENV where its environment stands, ARGS what a target hands on.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PAGE = src/rct_tools/web/page
BUILT = src/rct_tools/web/built/index.html
PIP = $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo web test test-all homeassistant lint check format docs bench fuzz lock screenshots clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 15

demo: $(VENV)/installed ## a simulated inverter, collected and shown; ARGS="--seconds 20" ends it by itself
	@! command -v npm >/dev/null || $(MAKE) --no-print-directory $(BUILT) || echo "The page cannot be built; on without it."
	@$(BIN)/rct demo $(ARGS) || [ $$? -eq 130 ] # Ctrl-C is how it ends

# Only what the lock of the page names, and nothing of it is run while it is installed.
web: ## build the page of `rct web`, which needs Node.js 18 or newer and npm
	@cd $(PAGE) && npm ci --silent
	@cd $(PAGE) && npm run --silent build

$(BUILT): $(filter-out %_modules,$(wildcard $(PAGE)/*))
	@echo "Building the page, which a change of it does again …"
	@$(MAKE) --no-print-directory web

screenshots: $(VENV)/installed web ## pictures of the page and the terminal for the documents, from a simulated inverter
	@$(BIN)/python tests/screenshots.py

test: $(VENV)/installed ## all tests with coverage; ARGS="tests/test_frame.py" for some, without it
ifeq ($(ARGS),)
	$(BIN)/pytest --cov --numprocesses auto
	$(BIN)/coverage report --fail-under=100 --include="$$($(BIN)/python tests/test_floors.py)"
else
	$(BIN)/pytest $(ARGS)
endif

test-all: ## the tests on each supported Python that is on the PATH
	@for version in 3.11 3.12 3.13; do \
	    if python$$version --version 2>/dev/null; then \
	        $(MAKE) test PYTHON=python$$version VENV=build/venv-$$version || exit 1; \
	    else \
	        echo "python$$version is not on the PATH: not tested"; \
	    fi; \
	done

homeassistant: $(VENV)/installed ## two versions of Home Assistant for the tests, each in an environment of its own
	@$(BIN)/python tests/homeassistant_server.py install

lint: $(VENV)/installed ## ruff, its format, mypy --strict
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: lint test ## what a change must pass

format: $(VENV)/installed ## let ruff write the code as it likes it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/installed ## the pages of docs/ as a site, in build/docs; any warning is an error
	$(BIN)/python -m sphinx --quiet --fresh-env --nitpicky --fail-on-warning --keep-going -d build/doctrees docs build/docs

bench: $(VENV)/installed ## speed and size beside those of peers
	$(BIN)/python -m bench $(ARGS)

fuzz: $(VENV)/installed ## bad input without end, for all that reads; ARGS="pcap --seconds 60" for one of them
	@$(BIN)/python tests/fuzzing.py $(ARGS)

# A requirement that is new is locked, the rest stays as it is; ARGS=--upgrade moves all. Extras stay in the lock: without
# them, pip takes a pin of `coverage` for none of `coverage[toml]`, and a newer release of it ends the set-up.
lock: ## write requirements.lock from pyproject.toml
	$(PYTHON) -m venv --clear build/uv
	build/uv/bin/python -m pip --disable-pip-version-check --quiet install uv
	build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev \
	    --generate-hashes --no-header --no-annotate --no-strip-extras --no-emit-index-url $(ARGS) \
	    --output-file requirements.lock pyproject.toml
	@! grep -n :// requirements.lock

clean: ## remove everything that was made here
	rm -rf $(VENV) $(PAGE)/node_modules $(PAGE)/../built build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

# Only what the lock names, and only as wheels: nothing is fetched that was not seen before.
$(VENV)/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "RCT Tools needs Python 3.11 or newer; choose one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Setting up $(VENV), once; it takes a minute or two …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --quiet --require-hashes --only-binary :all: --requirement requirements.lock
	@touch $@

# The check finds a lock that lags behind pyproject.toml.
$(VENV)/installed: $(VENV)/locked pyproject.toml
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(PIP) check
	@touch $@
