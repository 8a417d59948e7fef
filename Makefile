# Every command of the project. `make help` lists them.

API_PORT  ?= 3000
UI_PORT   ?= 7860
PORTFOLIO ?= var/demo
TESTS     ?= tests
ARGS      ?=

# Each library is told to keep quiet, and everything that running makes stays in var/.
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_DISABLE_TELEMETRY := true
export GRADIO_ANALYTICS_ENABLED := False
export DO_NOT_TRACK := 1
export BENTOML_HOME ?= $(CURDIR)/var/bentoml
export GRADIO_TEMP_DIR ?= $(CURDIR)/var/gradio
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# uv trusts whom the system trusts: a company's own certificate authority, say.
export UV_SYSTEM_CERTS ?= true
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# A group of packages is installed when a command first needs it; `dev` is all of them. pyproject.toml names them.
RUN      := .venv/with-run
DEV      := .venv/with-dev
MONITOR  := .venv/with-monitor
VALIDATE := .venv/with-validate
SITE     := .venv/with-site
SPARK    := .venv/with-spark
NOTEBOOKS := .venv/with-notebooks
# `train.py` compares every family only when asked to.
COMPARE  := $(if $(filter families all,$(ARGS)),.venv/with-compare)
GROUP    ?= dev
STORED := $(BENTOML_HOME)/models/credit_scoring/latest

LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile -q --universal --python-version 3.11 --fork-strategy fewest \
    --no-emit-index-url --no-emit-find-links --generate-hashes $(ARGS)

# As deploy/image.sh chooses it.
BUILDER = $(or $(ENGINE),$(shell command -v docker || command -v podman),docker)

BENCH_PEERS := fastapi mlserver litserve ray mlflow

.PHONY: help run test proofs cover torture bench scale setup browser demo data train import first-model serve ui monitor validate \
    bento image programs-image mlflow-image deliver lint site notebooks tutorial sbom lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

run: $(RUN)  ## set up, train on a demo portfolio if there is no model, serve the API and the page
	@test -f "$(STORED)" || $(MAKE) --no-print-directory first-model
	@python run.py --api-port $(API_PORT) --ui-port $(UI_PORT) --portfolio "$(PORTFOLIO)"

test: $(DEV)  ## set up and run the tests (TESTS=tests/test_service.py for one file)
	@python -m pytest -n auto --dist loadfile --no-loadscope-reorder -q $(TESTS) $(ARGS)

proofs: $(DEV)  ## run what `make test` leaves out: kills, restarts, jobs at the desk, and laws on four times the examples
	@python -m pytest -n auto --dist loadfile --no-loadscope-reorder -q -m "heavy or law" --hypothesis-profile=proofs $(TESTS) $(ARGS)

cover: $(DEV)  ## run the tests and say which lines they do not reach; fails below the floor in pyproject.toml
	@python -m pytest -n auto --dist loadfile --no-loadscope-reorder -q --cov --cov-report=term:skip-covered $(TESTS) $(ARGS)

torture: $(DEV)  ## attack served processes, two hours or more; writes RELIABILITY.md (ARGS="disk --scale 0.1" for a part)
	@test -f "$(STORED)" || $(MAKE) --no-print-directory first-model
	@python -m tests.torture $(ARGS)

bench: $(DEV) $(BENCH_PEERS:%=var/bench/%/ready)  ## measure everything beside its peers, write BENCHMARKS.md (ARGS=--quick)
	@python -m benchmarks $(ARGS)

var/bench/%/ready: benchmarks/serving/%.txt | $(DEV)
	@echo "Installing $* for the comparison"
	@rm -rf var/bench/$* && uv venv -q --python .venv/bin/python var/bench/$*
	@uv pip install -q --python var/bench/$*/bin/python -r $<
	@touch $@

setup: .venv/with-$(GROUP)  ## make .venv with all that is pinned (GROUP=run, compare, validate, monitor: a part)

.venv/with-%: requirements.txt pyproject.toml $(wildcard scoring/engine/*.c)
	@deploy/setup.sh $*

browser:  ## install Debian's Chromium for the tests of the page (as root)
	apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core

demo: var/demo  ## make the demo portfolio, 25,000 invented applicants

var/demo: | $(RUN)
	@rm -rf var/demo.part
	@python -m scoring.synthetic --applicants 20000 --test 5000 --seed 1 --out var/demo.part
	@mv var/demo.part var/demo  # a broken attempt never looks like a portfolio

data: $(RUN)  ## download the real Home Credit tables, about 700 MB
	@python -m scoring.download --out var/home-credit.zip

train: $(RUN) $(COMPARE) $(filter var/demo,$(PORTFOLIO))  ## train on PORTFOLIO=var/demo and register the champion
	@python train.py --portfolio "$(PORTFOLIO)" $(ARGS)
	@touch var/champion

import: $(RUN)  ## put the champion into the BentoML model store, if it answers as in training
	@python import_model.py $(ARGS)

first-model: $(filter var/demo,$(PORTFOLIO))
	@test -f var/champion || python train.py --portfolio "$(PORTFOLIO)" --provisional
	@$(MAKE) --no-print-directory import

serve: $(RUN)  ## serve the API alone
	@bentoml serve service:CreditScoring --host 127.0.0.1 --port $(API_PORT)

ui: $(RUN)  ## show the page alone, for an API that is running
	@python -m ui $(ARGS)

validate: $(RUN) $(VALIDATE)  ## write the validation pack of the champion of PORTFOLIO=var/demo, English and French
	@test -f var/champion || $(MAKE) --no-print-directory train
	@python -m validation --portfolio "$(PORTFOLIO)" $(ARGS)

monitor: $(RUN) $(MONITOR)  ## write the drift report of what was served
	@python -m monitoring $(ARGS)

bento: $(RUN)  ## build the bento from the exact tag of the newest model (or MODEL=credit_scoring:TAG)
	@test -f "$(STORED)" || { echo "No model is imported yet: make train import" >&2; exit 1; }
	@python -m scoring.engine || true
	@model=$${MODEL:-credit_scoring:$$(cat "$(STORED)")}; echo "model $$model"; CREDIT_SCORING_MODEL=$$model bentoml build

image: bento  ## make the container image of the bento (ENGINE=podman; where no registry is: deploy/offline-image.sh)
	@deploy/image.sh credit_scoring:latest credit-scoring:latest $(ARGS)

programs-image:  ## make the image of the page, the monitor and the batch client (after make image; ENGINE=podman)
	@$(BUILDER) build -f deploy/programs.Dockerfile -t credit-scoring-programs:latest $(ARGS) .

mlflow-image:  ## make the image of MLflow's server, for PostgreSQL and S3 (ENGINE=podman)
	@$(BUILDER) build -f deploy/mlflow.Dockerfile -t credit-scoring-mlflow:latest $(ARGS) .

deliver: $(DEV)  ## try what is delivered: workflows, manifests, the image, remote parts (Debian, as root; 15 minutes)
	@deploy/deliver.sh $(ARGS)

lint: $(DEV)  ## check style, format and types
	@ruff check . && ruff format --check . && mypy

scale: $(DEV) $(SPARK)  ## prove and measure portfolios, with Spark too (400 MB; needs Java 17): tests, kills, sizes
	@python -m pytest -n 0 -q tests/test_spark.py
	@python -m benchmarks.scale kills
	@python -m benchmarks.scale measure $(ARGS)

site: $(SITE)  ## build the documents as a site, in var/site/
	@zensical build --clean --strict

notebooks: $(RUN) $(NOTEBOOKS)  ## look at PORTFOLIO=var/demo and at its champion: pages and .ipynb in var/notebooks/
	@python -m notebooks --portfolio "$(PORTFOLIO)" $(ARGS)

tutorial: $(DEV)  ## run every command of the tutorial, in a copy of the project
	@python -m tests.tutorial

sbom: $(DEV)  ## list all that training and serving install, as CycloneDX, in var/sbom/
	@mkdir -p var/sbom
	@for set in requirements requirements-serving; do \
	    cyclonedx-py requirements $$set.txt --of JSON --output-reproducible -o var/sbom/$$set.json || exit 1; done
	@echo "var/sbom/requirements.json  var/sbom/requirements-serving.json"

lock:  ## pin what pyproject.toml asks for, for every Python that is supported, with hashes (ARGS=-U: newer versions)
	@test -x .venv/bin/uv || deploy/setup.sh run
	@$(LOCK) --extra dev --extra site --extra notebooks --extra spark pyproject.toml -o requirements.txt
	@$(LOCK) --extra serve -c requirements.txt pyproject.toml -o requirements-serving.txt
	@for set in deliver mlflow; do UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile -q --python-version 3.11 --python-platform linux \
	    --no-emit-index-url --no-emit-find-links --generate-hashes --no-annotate deploy/$$set.in -o deploy/$$set.txt || exit 1; done

clean:  ## remove .venv and what tools leave; var/ with your data, models and log stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +
