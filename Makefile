# The commands of this repository; `make` lists them. Each one installs what it needs.

bin = .venv/bin

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: .venv/.installed ## Generate a service, build it, run it as in production, and call it
	@$(bin)/python -m testing.demo

# Only `make test` without ARGS installs the tools: few tests need them, and some are large.
.PHONY: test
test: .venv/.installed $(if $(ARGS),,tools) ## Run the tests (ARGS="tests/render -k NAME" for some of them)
	$(bin)/pytest --numprocesses auto --dist loadgroup $(ARGS)

# Not a part of `make test`: measuring slows down every Python process that the tests start.
.PHONY: coverage
coverage: .venv/.installed ## Run the tests of fleet and check their coverage
	$(bin)/pytest --cov tests/fleet $(ARGS)

CASES = 200
.PHONY: fuzz
fuzz: .venv/.installed ## Update random projects and check them (CASES=1000; SEED=7 CASE=17 repeats one)
	@PYTHONPATH=. $(bin)/python tests/update/fuzz.py --cases $(CASES) $(if $(SEED),--seed $(SEED)) $(if $(CASE),--case $(CASE))

# `make test` runs the quick faults on one service of each framework.
.PHONY: faults
faults: .venv/.installed ## Run all faults on every starter and base, and print a table (ARGS="-k flask" for some)
	FAULTS=all $(bin)/pytest tests/container/faults $(ARGS)

# Not a part of `make test`: the packages take 3 GB, and the check takes minutes.
.PHONY: prune-check
prune-check: .venv/.installed ## Use 200 packages before and after venv-prune (ARGS="numba mypy" for some)
	@$(bin)/python tests/packages/check.py $(ARGS)

# Not a part of `make test`: it takes about an hour.
.PHONY: mutants
mutants: .venv/.installed ## Plant defects in the templates; a test must find each (ARGS="-k swarm" for some)
	@$(bin)/python tests/mutants/mutate.py $(ARGS)

.PHONY: tools
tools: .venv-checkov/.installed .renovate/.installed .venv-site/.installed ## Install checkov, Renovate and Zensical, which some tests need

.PHONY: lint
lint: lint-python lint-types lint-shell lint-yaml lint-workflows ## Check this repository's own files

.PHONY: lock
lock: .venv/.installed ## Re-resolve all requirements (ARGS=--upgrade for newer versions)
	scripts/lock $(ARGS)

.PHONY: lock-check
lock-check: .venv/.installed ## Check that the locks match their .in files, and install those of the starters
	scripts/lock --check

.PHONY: expected
expected: .venv/.installed ## Write tests/render/expected, the outputs whose changes are reviewed
	$(bin)/python -m testing.expected

.PHONY: examples
examples: .venv/.installed ## Render the template onto the services in examples/
	$(bin)/python -m testing.examples

.PHONY: record
record: .venv/.installed ## Run the two commands of the README, and write pictures of the terminal to docs/img
	$(bin)/python scripts/record.py

.PHONY: cookiecutter
cookiecutter: .venv/.installed ## Write cookiecutter.json from the questions
	$(bin)/python scripts/cookiecutter_json.py

.PHONY: reference
reference: .venv/.installed ## Write the generated pages of docs/: questions, make targets, fleet's help
	$(bin)/python scripts/reference.py

.PHONY: site
site: .venv-site/.installed ## Build the site from docs/ into build/site; fail on a warning
	.venv-site/bin/zensical build --strict --clean

.PHONY: site-serve
site-serve: .venv-site/.installed ## Serve the site on 127.0.0.1:8000, and build it again at every change
	.venv-site/bin/zensical serve

# Not a part of `make test`: it needs Chromium (Debian: apt-get install chromium) and minutes.
.PHONY: site-check
site-check: site .site-check/.installed ## Check every page in headless Chromium (CHROMIUM=PATH; SHOTS=FOLDER keeps pictures)
	NODE_PATH=.site-check/node_modules PATH="$(CURDIR)/$(bin):$$PATH" node scripts/site-check.js

.PHONY: bench
bench: .venv/.installed ## Measure size, build, start and load of apps in nine layouts (APP=typical for one app)
	$(bin)/python -m bench.run $(if $(APP),--app $(APP)) $(ARGS)
	@$(MAKE) --no-print-directory bench-pages

.PHONY: bench-pages
bench-pages: .venv/.installed ## Write the tables and the chart of bench/results into the documents
	$(bin)/python -m bench.pages

.PHONY: rolls
rolls: .venv/.installed ## Measure what a new version costs, by each way (ARGS="roll swarm" for some of them)
	@$(bin)/python -m bench.rolls $(ARGS)

# `make test` builds the services that need no base image.
.PHONY: reproducible
reproducible: .venv/.installed ## Build all kinds of images twice, a day apart by the clock, and print their digests
	REPRODUCIBLE=all $(bin)/pytest --capture=no tests/container/test_reproducible.py tests/container/test_patched_base.py $(ARGS)

# `make test` builds three kinds of images.
.PHONY: podman
podman: .venv/.installed ## Build and run every kind of image by Podman, and print a line for each
	PODMAN=all $(bin)/pytest --capture=no tests/container/test_podman_builds.py $(ARGS)

.PHONY: pipelines
pipelines: .venv/.installed ## Run every step of the pipelines of GitHub and GitLab, of a service and of a base image
	PIPELINES=all $(bin)/pytest tests/container/test_pipeline_steps.py $(ARGS)

.PHONY: score
score: .venv/.installed ## Score every kind of service by the container checklist, and write docs/checklist.md
	@$(bin)/python -m testing.score

.PHONY: fleet
fleet: .venv/.installed ## Compare or update many services (ARGS="status ~/services")
	@$(bin)/python -m fleet $(ARGS)

.PHONY: release
release: .venv/.installed ## Check, commit and tag a release (VERSION=1.2.3)
	@scripts/release

.PHONY: clean
clean: ## Remove everything that the other commands created here
	rm -rf build dist .venv .venv-checkov .venv-site .renovate .site-check .cache .pytest_cache .ruff_cache .mypy_cache *.egg-info .coverage
	find . -name __pycache__ -prune -exec rm -rf {} +

# The parts of `make lint`, which .pre-commit-config.yaml calls one by one.

# One cache: ruff would write another one beside each pyproject.toml in examples/.
.PHONY: lint-python
lint-python: export RUFF_CACHE_DIR = .ruff_cache
lint-python: .venv/.installed
	$(bin)/ruff check
	$(bin)/ruff format --check

.PHONY: lint-types
lint-types: .venv/.installed
	$(bin)/mypy

# Includes the scripts of the templates, except those that must be rendered first.
.PHONY: lint-shell
lint-shell: .venv/.installed
	git grep --untracked -lIE '^#!.*[/ ](ba|da)?sh$$' -- ':!*.jinja' ':!*.md' ':!*.py' | xargs $(bin)/shellcheck --external-sources

.PHONY: lint-yaml
lint-yaml: .venv/.installed
	$(bin)/yamllint --strict .

.PHONY: lint-workflows
lint-workflows: .venv/.installed
	$(bin)/actionlint
	$(bin)/zizmor --offline --persona auditor --quiet .github
	$(bin)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(bin)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(bin)/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

.venv/.installed: requirements/dev.txt
	scripts/venv .venv $<

.venv-checkov/.installed: requirements/checkov.txt requirements/dev.txt
	scripts/venv .venv-checkov $<

.venv-site/.installed: requirements/site.txt requirements/dev.txt
	scripts/venv .venv-site $<

# --ignore-scripts: the install scripts compile native modules that Renovate's validator does not use.
renovate = 44.121.2
.renovate/.installed: Makefile .venv/.installed
	rm -rf .renovate && mkdir .renovate
	PATH="$(CURDIR)/$(bin):$$PATH" npm install --prefix .renovate --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error renovate@$(renovate)
	touch $@

.site-check/.installed: Makefile .venv/.installed
	rm -rf .site-check && mkdir .site-check
	PATH="$(CURDIR)/$(bin):$$PATH" npm install --prefix .site-check --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error axe-core@4.14.1 playwright-core@1.65.1
	touch $@
