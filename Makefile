# Every target makes the .venv that it needs (tools/venv.py) and is quick when it is there.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# Processes that run tests side by side.
JOBS ?= 2

# The installed wheel is what runs, not the source tree in the working directory: here, in pytest and in Spark's workers.
export PYTHONSAFEPATH := 1
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help run run-fhir test check wheel bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

INPUT := .run/hl7_in
WAREHOUSE := .run/warehouse
EXAMPLE := pipelines/hl7v2_files
FHIR_EXAMPLE := pipelines/fhir_api
FHIR_WAREHOUSE := .run/fhir_warehouse
DAYS ?= 1
PATIENT_COLUMNS := id,gender,birthDate,__START_AT,__END_AT

run: ## turn sample HL7 v2 files into tables on this machine's Spark
	@$(PYTHON) tools/venv.py local
	@if [ ! -d $(INPUT) ]; then \
	  rm -rf $(INPUT).new && $(BIN)/connector-lib sample hl7v2 --messages 200 --seed 1 --damage all --out $(INPUT).new \
	  && mv $(INPUT).new $(INPUT); fi
	$(BIN)/connector-lib run $(EXAMPLE) --set "source.storage_path=$(INPUT)" --warehouse $(WAREHOUSE) $(ARGS)
	$(BIN)/connector-lib show observations --columns code_text,value,units,abnormal_flags --limit 5 --warehouse $(WAREHOUSE)
	@echo
	@echo "Next: put HL7 v2 files of your own into $(INPUT) and run 'make run' again: only new files are read."

run-fhir: ## turn a FHIR API, served on this machine, into tables
	@$(PYTHON) tools/venv.py local
	$(BIN)/connector-lib sample fhir --serve --patients 20 --days $(DAYS) -- \
	  $(BIN)/connector-lib run $(FHIR_EXAMPLE) --warehouse $(FHIR_WAREHOUSE) $(ARGS)
	$(BIN)/connector-lib show fhir_api.patients --columns $(PATIENT_COLUMNS) --limit 5 --warehouse $(FHIR_WAREHOUSE)
	@echo
	@echo "Next: 'make run-fhir DAYS=2' is the same server a day later: only what changed is read."

test: ## run the tests, all or some: make test ARGS="tests/unit -k parse"
	@$(PYTHON) tools/venv.py dev local
	$(BIN)/pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder $(ARGS)

check: ## check format, lint, types, import order of the rooms, names that do not belong here, and the pipelines
	@$(PYTHON) tools/venv.py dev
	@failed=; \
	step() { echo "== $$*"; "$$@" || failed="$$failed $$1"; }; \
	step $(BIN)/ruff format --check .; \
	step $(BIN)/ruff check .; \
	step $(BIN)/mypy; \
	step $(BIN)/lint-imports --no-logo; \
	step tools/foreign-names; \
	step $(BIN)/connector-lib check pipelines/*; \
	[ -z "$$failed" ] || { echo "make check: failed in$$failed" >&2; exit 1; }

wheel: ## build the wheel into dist/
	@$(PYTHON) tools/venv.py
	@ls dist/*.whl

bench: ## measure beside other parsers, into benchmarks/results.md
	@$(PYTHON) tools/venv.py bench
	$(BIN)/python -c 'import runpy, sys; sys.path.append("."); runpy.run_module("benchmarks", run_name="__main__")' $(ARGS)

clean: ## remove what the other targets made, but for .venv
	rm -rf build dist .run *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find connector_lib tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
