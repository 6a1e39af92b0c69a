# `make` alone lists the targets. PYTHON=/path/to/python3.x chooses the interpreter of .venv.
.DEFAULT_GOAL := help
BIN := .venv/bin
CORE := 'shared/*,*/domain/*'
CHAOS_RUNS := 300
CHAOS_SEED := 1
STOPS := 500
LOCK := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.12 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock"

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

environment: ## make or renew .venv
	@sh deploy/local/environment.sh

run: environment ## run both services, with a broker, a cloud and an inventory where none are named
	@exec $(BIN)/python -m deploy.local

check: format-check lint lint-ci types imports test test-contract documents manifests check-ui ## everything that must hold; what CI runs

# Three at once on two processors: many tests wait for something most of their time.
test: environment broker ## run every test and hold its coverage to the floors
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --quiet --numprocesses 3 --dist loadfile --no-loadscope-reorder
	@$(BIN)/coverage combine --quiet
	$(call covered,everything,90,)
	$(call covered,shared and the domains,95,--include=$(CORE))

test-contract: environment broker ## drive the contract through every endpoint with all that a fuzzer makes of it: two minutes
	@CONTRACT_PHASES=examples,coverage,fuzzing,stateful CONTRACT_EXAMPLES=10 $(BIN)/pytest --quiet tests/e2e/test_contract.py

test-openstack: environment ## run the end-to-end cases on a real Keystone and Blazar, installed under .cache
	@exec $(BIN)/python -m deploy.local.real_openstack $(BIN)/pytest --quiet -m openstack tests/openstack

test-clients: environment broker ## run programs that others wrote, such as enoslib, against both services
	@$(BIN)/python -m deploy.local.install_clients
	@$(BIN)/pytest --quiet -m clients tests/clients

test-bounds: environment broker ## measure that disk, memory, connections and shutdown stay within their bounds: some minutes
	@$(BIN)/pytest --quiet -m bounds tests/bounds

test-chaos: environment broker ## both services under fire: CHAOS_RUNS seeded runs from CHAOS_SEED on, resumable
	@exec $(BIN)/python -m tests.chaos --runs $(CHAOS_RUNS) --seed $(CHAOS_SEED)

test-failover: environment broker ## how long a site goes unpolled when a replica or the broker is gone, as a table
	@exec $(BIN)/python -m tests.chaos.failover

test-stops: environment broker ## both services stopped at STOPS random moments, under load: half an hour
	@exec $(BIN)/python -m tests.chaos.stops --stops $(STOPS)

test-ui: environment ## the page in a real browser; Chromium is installed if this may be done; pictures are in .cache/ui
	@$(BIN)/python -m deploy.local.install_chromium
	@$(BIN)/pytest --quiet -m ui tests/ui

# Where there can be no browser (3), the sentence why is all there is: the rest has been checked.
check-ui: environment
	@$(BIN)/python -m deploy.local.install_chromium; case $$? in \
	0) $(MAKE) --no-print-directory test-ui ;; \
	3) echo "The page was NOT tested in a browser: make test-ui was left out." ;; \
	*) exit 1 ;; esac

bench: environment ## what a request costs, beside bare aiohttp and FastAPI, into docs/performance.md: some twenty minutes
	@exec $(BIN)/python -m tests.bench

test-monitoring: environment ## the alert rules and the dashboard's queries, by promtool: installed if this may be done
	@$(BIN)/python -m deploy.local.install_promtool
	@$(BIN)/python -m deploy.local.dashboard_rules .cache/dashboard_rules.json
	@report=$$(promtool check rules deploy/monitoring/alerts.yaml .cache/dashboard_rules.json \
		&& promtool test rules deploy/monitoring/alerts_test*.yaml) || { echo "$$report"; exit 1; }

test-rabbitmq4: environment ## run the tests of the log on a newer RabbitMQ, unpacked under .cache; SUITE=sid: from there
	@exec $(BIN)/python -m deploy.local.unpack_rabbitmq $(or $(SUITE),trixie) \
		$(BIN)/pytest --quiet tests/contract tests/integration

test-cluster: environment broker ## lose nodes of a RabbitMQ cluster of three; SUITE=trixie: of a newer RabbitMQ
	@exec $(if $(SUITE),$(BIN)/python -m deploy.local.unpack_rabbitmq $(SUITE)) \
		$(BIN)/pytest --quiet -m cluster tests/cluster

test-images: environment ## build the images and run them, with a Docker engine that is started if none answers
	@exec $(BIN)/python -m deploy.containers $(BIN)/pytest --quiet tests/containers/test_images.py

test-compose: environment ## bring compose.yaml up, break it and see it heal; as for test-images
	@exec $(BIN)/python -m deploy.containers $(BIN)/pytest --quiet tests/containers/test_compose.py

broker: environment ## install RabbitMQ if it is missing and this may be done
	@$(BIN)/python -m deploy.local.install_rabbitmq

format: environment ## format the code
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet

format-check: environment ## is the code formatted
	@$(BIN)/ruff format --quiet --diff

lint: environment ## ruff, and yamllint
	@$(BIN)/ruff check --quiet
	@$(BIN)/yamllint --strict .

# As the oldest Python has it; from 3.14 on as that one has it, for there backports.zstd cannot be installed.
types: environment ## mypy
	@$(BIN)/mypy --no-error-summary $$($(BIN)/python -c 'import sys; sys.version_info < (3, 14) or print("--python-version=3.14")')

imports: environment ## the layers of docs/architecture.md
	@report=$$($(BIN)/lint-imports --no-cache --no-logo) || { echo "$$report"; exit 1; }

manifests: environment ## render deploy/k8s and check what comes out, offline; kubectl is installed if it is missing
	@$(BIN)/python -m deploy.local.install_kustomize
	@$(BIN)/pytest --quiet -m manifests tests/manifests

lint-ci: environment ## zizmor and the schemas over the workflows and compose.yaml; nothing is fetched
	@report=$$($(BIN)/zizmor --offline --quiet --no-progress --persona pedantic .github) || { echo "$$report"; exit 1; }
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml

documents: environment ## are the generated documents, and the alert rules for Kubernetes, what they are made of
	@$(BIN)/python -m api_service.describe --check
	@$(BIN)/python -m shared.asyncapi --check
	@$(BIN)/python -m deploy.local.prometheus_rule --check

generate: environment ## write docs/openapi.json, docs/asyncapi.json, and the alert rules for Kubernetes
	@$(BIN)/python -m api_service.describe
	@$(BIN)/python -m shared.asyncapi
	@$(BIN)/python -m deploy.local.prometheus_rule

lock: environment ## bring requirements/*.txt in line with pyproject.toml; UPGRADE=1 takes the newest releases
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/build.in --output-file requirements/build.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/build.txt --output-file requirements/run.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra dev \
		--constraint requirements/build.txt --constraint requirements/run.txt --output-file requirements/dev.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/containers.in --output-file requirements/containers.txt
	@for service in api sync; do $(LOCK) requirements/$$service.in --constraint requirements/build.txt \
		--constraint requirements/run.txt --output-file requirements/$$service.txt || exit 1; done
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/openstack.in --constraint requirements/build.txt \
		--output-file requirements/openstack.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/clients.in --constraint requirements/build.txt \
		--output-file requirements/clients.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/bench.in --constraint requirements/build.txt \
		--constraint requirements/run.txt --output-file requirements/bench.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/kubectl.in --output-file requirements/kubectl.txt

clean: ## remove whatever the other targets made
	@rm -rf .venv .cache .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@rm -rf build dist *.egg-info .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(1) what, $(2) percent at least, $(3) options of coverage report; the whole report only if it fails
define covered
	@report=$$($(BIN)/coverage report --precision=1 --fail-under=$(2) $(3)) || { echo "$$report"; exit 1; }; \
	echo "$$report" | sed -n 's/^TOTAL.* \([0-9.]*%\)$$/coverage of $(1): \1 (at least $(2)%)/p'
endef

.PHONY: help environment run check check-ui test test-contract test-openstack test-clients test-bounds test-chaos test-failover test-stops \
	test-ui bench test-monitoring test-rabbitmq4 \
	test-cluster test-images test-compose broker format format-check lint types imports manifests lint-ci documents generate lock clean
