# Everything a newcomer or CI runs. Each target makes .venv itself: python3, venv and pip are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Tests run in a network namespace of their own where that is allowed, so that no datagram can leave.
ISOLATED := $(BIN)/python tests/isolated.py
FAST := -m "not slow and not soak"
# The firmware is typed against the chip's modules, which are not this Python's.
BOARD_TYPES := $(BIN)/pyright -p tests/firmware/pyright.json --typeshedpath "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

.DEFAULT_GOAL := help
.PHONY: help venv demo test check bench soak ha clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

# What others wrote for Improv; without npm its test is left out (where CI runs, it fails).
NPM := tests/provisioning/npm/node_modules/.ready
$(NPM): tests/provisioning/npm/package-lock.json
	@if command -v npm >/dev/null; then \
		npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(dir $<) && touch $@; fi

# Home Assistant needs a newer Python; without one its test is left out (where CI runs, it fails).
HA := .venv-ha/.ready
$(HA): tests/ha/requirements.txt
	@for python in python3.13 "$$(pyenv root 2>/dev/null || echo ~/.pyenv)"/versions/3.13*/bin/python ""; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null && break; done; \
	if [ -n "$$python" ]; then \
		"$$python" -m venv --clear $(dir $@) && \
		$(dir $@)bin/pip install --quiet --no-compile --no-deps --requirement $< && touch $@; \
	else echo "Home Assistant needs Python 3.13, which is absent: pyenv install 3.13"; fi

ha: $(HA) ## Home Assistant itself, in an environment of its own, for its test

venv: $(READY) ## the virtual environment, with everything in it

demo: $(READY) ## a household on this machine: meter, frames and a live view
	$(BIN)/dsmrctl demo --duration 20s

check: $(READY) $(NPM) ## the inner loop: ruff, pyright, fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# Both kinds of types at a time.
	$(BIN)/pyright & host=$$!; $(BOARD_TYPES) && wait $$host
	DSMRCTL_TESTS_PROFILE=quick $(ISOLATED) $(BIN)/pytest -q -n 3 $(FAST)

test: $(READY) $(NPM) $(HA) ## every test but the long simulations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright & host=$$!; $(BOARD_TYPES) && wait $$host
	$(ISOLATED) $(BIN)/pytest -n 3 -m "not soak"

soak: $(READY) ## the long simulations
	$(ISOLATED) $(BIN)/pytest -n 2 -m soak

bench: $(READY) ## ratios against peers; ONLY=telegram,startup for some, QUICK=1 for a first look
	$(ISOLATED) $(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

clean: ## remove what was made
	rm -rf $(VENV) $(dir $(HA)) .bench build dist .pytest_cache .ruff_cache .hypothesis
