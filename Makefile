# What a newcomer needs: `make demo`. Everything is installed into .venv, from the versions in constraints.txt.

PYTHON ?= python3
PIP = .venv/bin/python -m pip --disable-pip-version-check --no-input
TURRET = .venv/bin/turret

# Set-up is done when its stamp is newer than what it installs from. The stamp is written last, so a set-up that was
# interrupted is done again. Tests and checks need more than the product does: they have a stamp of their own.
READY = .venv/.ready
READY_DEV = .venv/.ready-dev
READY_LONG = .venv/.ready-long
# Where this is set (images for containers like to) every process would compile every module that it imports again.
unexport PYTHONDONTWRITEBYTECODE
# pip compiles every module of every package by default, most of which nobody imports: half a minute for nothing.
INSTALL = $(PIP) install --quiet --no-compile --constraint constraints.txt --editable

# The dashboard's own scripts; what a package ships is that package's affair.
SCRIPTS = turret_api/dashboard/static/*.js

.PHONY: setup demo up test test-slow test-long bench lint docs

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@echo "Setting up .venv (about a minute)"
	@rm -f $(READY) $(READY_DEV) $(READY_LONG)
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@$(INSTALL) .
	@touch $(READY)

# The Python client is a distribution of its own: the product does without, its tests and benchmarks do not.
$(READY_DEV): $(READY) clients/python/pyproject.toml
	@$(INSTALL) ".[dev,ray]" --editable ./clients/python
	@touch $(READY_DEV)

$(READY_LONG): $(READY_DEV)
	@$(INSTALL) ".[dev,ray,long]"
	@touch $(READY_LONG)

demo: $(READY)
	@$(TURRET) demo $(if $(ONCE),--once)

up: $(READY)
	@exec $(TURRET) up

PYTEST = .venv/bin/python -m pytest
# pytest-xdist 3.8 may wait for ever once it has replaced a worker that died: such a run ends instead, and names the test.
AT_ONCE = -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart=0

test: $(READY_DEV)
	@$(PYTEST) -m "not slow and not long" $(AT_ONCE) $(ARGS)

test-slow: $(READY_DEV)
	@$(PYTEST) -m "slow and not long" $(AT_ONCE) $(ARGS)

# Both kinds, also where ARGS has tests of one kind only: pytest ends with 5 where it finds none. The long ones measure
# times and memory, and start clusters: one at a time.
test-long: $(READY_LONG)
	@$(PYTEST) -m "slow and not long" $(AT_ONCE) $(ARGS) || [ $$? = 5 ]
	@$(PYTEST) -m long $(ARGS) || [ $$? = 5 ]

bench: $(READY_LONG)
	@.venv/bin/python -m benchmarks

lint: $(READY_DEV)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/oxlint --quiet $(SCRIPTS)
	@.venv/bin/oxfmt --check $(SCRIPTS)
	@.venv/bin/python -m tools.lint_deploy
	@.venv/bin/mypy
	@.venv/bin/mypy --config-file clients/python/pyproject.toml

docs: $(READY_DEV)
	@.venv/bin/python -m mkdocs build --strict --quiet
	@echo "The documentation is in build/site/index.html"
