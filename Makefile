# make demo, make test: each installs what it needs into a virtual environment of its own, once.
PYTHON ?= python3
DESCRIPTION = setup.cfg pyproject.toml
EVERYTHING = .[test,train,eval,serve,video,mysql,search,milvus]

# Services leave threads behind in their process, which training (random numbers) and forks must not meet: two runs.
TESTS = .venv-test/bin/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

help:
	@echo "make demo    install what recognising needs into .venv and recognise people in sample photos"
	@echo "make test    install everything into .venv-test, check the style and run all tests"
	@echo "make clean   remove both environments, annotated/ and caches"
	@echo "PYTHON=...   makes the environments with that Python (3.11 or later) instead of python3"

demo: .venv/installed
	@.venv/bin/python -m recognizer.cli demo --out annotated

test: .venv-test/installed
	@echo "checking the style"
	@.venv-test/bin/python -m ruff check --quiet .
	@echo "running the tests"
	@$(TESTS) --ignore tests/recognizer
	@$(TESTS) tests/recognizer

.venv/installed: $(DESCRIPTION)
	$(call install,.venv,.)

.venv-test/installed: $(DESCRIPTION)
	$(call install,.venv-test,$(EVERYTHING))

clean:
	@rm -rf .venv .venv-test annotated .pytest_cache .ruff_cache
	@find . -path './.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help demo test clean

# install: FOLDER, REQUIREMENT. A folder without pip is what an interrupted or failed attempt left: made anew.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
  { echo "Python 3.11 or later is needed; '$(PYTHON)' is not. Name one: make PYTHON=python3.12 ..." >&2; \
  exit 1; }
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || { echo "making $(1)"; \
  $(PYTHON) -m venv --clear $(1) >/dev/null || \
  { rm -rf $(1); \
  echo "No virtual environment could be made: install your system's python3-venv." >&2; exit 1; }; }
@echo "installing '$(2)' into $(1)"
@$(1)/bin/python -m pip install --quiet --editable '$(2)'
@touch $@
endef
