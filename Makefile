# The project's commands. Each sets up what it needs; `make setup` alone does only that.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo dev fetch test e2e check format images bench soak fuzz simulate storm faults scale neighbours policies docs clients
.PHONY: model patterns clean runtimes

PYTHON ?= python3
FUZZ ?= 100000
CASES ?= 10000
KILLS ?= 100
BACKLOG ?= 100000
SEEDS ?= 10000
FAULTS ?= 20
SEED ?= 1
EVENTS ?= 10
FLOOD ?= 10000
CLUSTER ?= ../shared/cluster/cluster
RUNTIMES ?=
READY := .venv/.ready
FUNCTIONS := .venv/functions/.ready
MOTO := .venv/moto/.ready
NODE := .venv/.node
RUN := .venv/bin

help: ## Say what there is
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) $(FUNCTIONS) $(NODE) $(MOTO) ## Make .venv, which then has bin/pilotlight

# uv if it is there; else venv and pip bring it first: an old pip alone resolves for minutes.
$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; $$($(PYTHON) --version) came. Set PYTHON=…" >&2; exit 1; }
	@echo "setting up .venv (once; seconds where the packages are cached)"
	@if command -v uv >/dev/null; then \
	  uv sync --locked --all-extras --inexact --python $(PYTHON); \
	else \
	  $(PYTHON) -m venv .venv || { echo "apt-get install python3-venv, or install uv" >&2; exit 1; }; \
	  .venv/bin/python -m pip install --quiet --progress-bar off uv && \
	  .venv/bin/uv sync --locked --all-extras --inexact; \
	fi
	@touch $@

# Functions of local mode run in an environment of their own, as in the runtime image.
$(FUNCTIONS): $(READY) runtime-images/python/pilotlight_python/requirements.txt
	@echo "setting up .venv/functions (boto3 for functions)"
	@$(PYTHON) -m venv --without-pip .venv/functions
	@uv=$$(command -v uv || echo .venv/bin/uv); \
	  $$uv pip install --quiet --python .venv/functions/bin/python -r runtime-images/python/pilotlight_python/requirements.txt
	@touch $@

# Where it cannot be had, whoever needs it says so.
$(NODE): $(READY)
	@$(RUN)/python -m pilotlight_local.nodes nodejs24.x && touch $@ || true

# AWS's neighbour services for tests; it pins what the platform must not.
$(MOTO): $(READY) tests/support/moto-requirements.txt
	@echo "setting up .venv/moto (SQS, SNS, EventBridge and S3 for tests)"
	@$(PYTHON) -m venv --without-pip .venv/moto
	@uv=$$(command -v uv || echo .venv/bin/uv); \
	  $$uv pip install --quiet --python .venv/moto/bin/python -r tests/support/moto-requirements.txt
	@touch $@

demo: $(READY) $(FUNCTIONS) $(NODE) ## Run every example on real input, locally, and stop
	@$(RUN)/python -m examples.demo

dev: $(READY) $(FUNCTIONS) $(NODE) ## Run the local platform with the examples
	@$(RUN)/pilotlight dev examples

fetch: setup ## The servers that tests bring from Maven and npm
	@$(RUN)/python -m tests.support.fetch

test: setup fetch ## Every test; those on Kubernetes where a KUBECONFIG or kind is given
	@$(RUN)/pytest -n 2 $(PYTEST)

e2e: setup ## The end-to-end tests on Kubernetes alone
	@$(RUN)/pytest -m e2e $(PYTEST)

check: setup ## Style, types and layers
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

format: setup ## Let ruff lay the code out
	@$(RUN)/ruff format .
	@$(RUN)/ruff check --fix .

images: ## Build operator, gateway, runtime and database images onto the cluster's node
	@CLUSTER=$(CLUSTER) RUNTIMES="$(RUNTIMES)" charts/images

bench: setup ## Measure; prints the tables of docs/performance.md
	@$(RUN)/python -m benchmarks.run
	@$(RUN)/python -m benchmarks.urls
	@$(RUN)/python -m benchmarks.asynchronous
	@$(RUN)/python -m benchmarks.many_functions

runtimes: setup ## Try the contract in every language that is here, in pods of KUBECONFIG, too; writes docs/runtimes.md
	@$(RUN)/python -m tests.runtimes.table
	@[ -z "$$KUBECONFIG" ] || PILOTLIGHT_CONFORMANCE=cluster $(RUN)/python -m tests.runtimes.table

clients: setup ## Have every client and tool tell the story, on a given KUBECONFIG, too; writes two pages of it
	@$(RUN)/python -m tests.clients

fuzz: setup ## Send FUZZ requests to both servers, FUZZ changed signed ones, CASES that break the model
	@PILOTLIGHT_FUZZ=$(FUZZ) $(RUN)/pytest tests/gateway/test_both_servers.py --timeout 3600
	@PILOTLIGHT_MUTATIONS=$(FUZZ) $(RUN)/pytest tests/gateway/test_signed_mutations.py --timeout 3600
	@PILOTLIGHT_MODEL_FUZZ=$(CASES) $(RUN)/pytest tests/gateway/apis/lambda_/test_model_fuzz.py --timeout 3600

soak: setup ## Kill the platform a hundred times under load, then drain a backlog of BACKLOG events
	@PILOTLIGHT_KILLS=$(KILLS) $(RUN)/pytest tests/gateway/events/test_kills.py
	@$(RUN)/python -m benchmarks.backlog --events $(BACKLOG)

simulate: setup ## Run the control plane through SEEDS schedules of faults, in virtual time
	@PYTHONHASHSEED=0 $(RUN)/python -m tests.simulation 1 $(SEEDS)

storm: setup ## Three minutes of too much on the cluster of KUBECONFIG, into docs/reliability.md
	@$(RUN)/python -m tests.storm storm

faults: setup ## FAULTS drawn from SEED beside EVENTS a second on the one-node cluster, into docs/reliability.md
	@CLUSTER=$(CLUSTER) FAULTS=$(FAULTS) SEED=$(SEED) EVENTS=$(EVENTS) $(RUN)/python -m tests.storm faults

scale: setup ## 1,000 functions and callers for 300 pods on the one-node cluster, into docs/reliability.md
	@$(RUN)/python -m tests.storm scale

neighbours: setup ## One account beside another one's FLOOD cold functions, into docs/reliability.md
	@FLOOD=$(FLOOD) $(RUN)/python -m tests.storm neighbours

policies: setup ## Run the keep-alive policies on a synthetic trace
	@$(RUN)/python -m benchmarks.keep_alive

docs: setup ## Write the generated pages anew
	@$(RUN)/python -m pilotlight_gateway.apis.unsupported > docs/unsupported.md
	@$(RUN)/python -m pilotlight_cli.metrics_page > docs/metrics.md

model: setup ## Condense the models of AWS's APIs from botocore anew
	@$(RUN)/python -m tests.support.lambda_model
	@$(RUN)/python -m tests.support.aws_protocols

patterns: setup ## Ask AWS's event-ruler for its verdicts on event patterns anew (needs a JDK)
	@$(RUN)/python -m tests.support.event_ruler

clean: ## Remove what the commands above made
	@rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
