# One command for each thing one does here; what it takes is in bin/. Relative paths only, so that a checkout
# whose path has spaces works; GNU Make 3.81 (macOS) is enough.

PORT ?= 8000
LABS := .venv/bin/labs
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url
NOT_SET_UP := echo "Nothing runs from this checkout yet: make start sets it up."

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help start stop status doctor test docs build lock clean setup setup-test

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

start: setup ## start the cluster and JupyterLab
	@$(LABS) up

stop: ## stop them; your notebooks and progress stay
	@if [ -x $(LABS) ]; then $(LABS) down; else $(NOT_SET_UP); fi

status: ## say what runs, and where
	@if [ -x $(LABS) ]; then $(LABS) status; else $(NOT_SET_UP); fi

doctor: setup ## look for what is wrong, and how to mend it
	@$(LABS) doctor

test: setup-test ## run every check and test
	@bin/test

docs: setup-test build ## serve the site on 127.0.0.1:8000 (make docs PORT=8001)
	@.venv/bin/mkdocs serve --dev-addr 127.0.0.1:$(PORT)

build: setup ## make the notebooks and pages from labs/src
	@$(LABS) build

lock: ## lock the three requirements.in anew, with uv
	@command -v uv >/dev/null || { echo "Locking needs uv, which is not on PATH: install it, then run this again." >&2; exit 1; }
	$(LOCK) ./requirements.in --output-file requirements.txt
	$(LOCK) tests/requirements.in --output-file tests/requirements.txt
	$(LOCK) docs/requirements.in --output-file docs/requirements.txt

clean: stop ## remove what tools made; your notebooks, progress and .env stay
	rm -rf .venv site .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

setup:
	@bin/setup learner

setup-test:
	@bin/setup test
