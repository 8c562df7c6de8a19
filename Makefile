# Two commands do everything: `make demo` and `make test`. Each creates the environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
SPARK := $(VENV)/.spark
SITE := $(VENV)/.site
WORKERS ?= 2

export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.PHONY: help demo test test-deep test-versions mutate lint docs lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-13s %s\n", $$1, $$2}'

$(STAMP): requirements/lock.txt pyproject.toml scripts/preflight.py
	@$(PYTHON) scripts/preflight.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/lock.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(STAMP)

$(SPARK): $(STAMP) requirements/spark.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/spark.txt
	@touch $(SPARK)

$(SITE): $(STAMP) requirements/docs.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/docs.txt
	@touch $(SITE)

demo: $(STAMP)  ## simulate a company, train, evaluate and score it
	@$(PYTHON) scripts/preflight.py --system-only
	$(BIN)/staypower demo

test: $(SPARK)  ## style, types, layers and tests (under 15 minutes on 2 cores)
	@$(PYTHON) scripts/preflight.py --system-only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -p no:cacheprovider

test-deep: $(SPARK)  ## the same tests with many more cases, and the branches that they cover
	rm -f .coverage .coverage.*
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -p no:cacheprovider
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

test-versions:  ## the lowest, newest and a random set of dependencies, on each Python (needs uv)
	$(PYTHON) scripts/try_versions.py

mutate: $(STAMP)  ## change the code a little and see whether tests notice: cutoffs, spells, labels, metrics, kernel
	$(BIN)/python scripts/mutate.py

lint: $(STAMP)  ## style, types and layers only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(SITE)  ## write the generated pages and notebooks again, and make the site: site/index.html
	$(BIN)/python scripts/write_docs.py
	$(BIN)/python scripts/write_notebooks.py
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --fresh-env --quiet docs site

lock:  ## resolve the locked versions again (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock' \
	  -o requirements/lock.txt
	echo 'pyspark>=4.0,<5' | uv pip compile - --universal --python-version 3.11 --generate-hashes -c requirements/lock.txt \
	  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock' \
	  -o requirements/spark.txt
	printf '%s\n' furo myst-parser sphinx | uv pip compile - --universal --python-version 3.11 --generate-hashes -c requirements/lock.txt \
	  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock' \
	  -o requirements/docs.txt
	uv pip compile requirements/score.in --universal --python-version 3.11 --generate-hashes -c requirements/lock.txt \
	  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock' \
	  -o requirements/score.txt

clean:  ## remove the environment and everything the commands made
	rm -rf $(VENV) demo site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find mlruns models -mindepth 1 ! -name README.md -delete
