# The verbs of this repository; `make` alone lists them. Each sets up what it needs.

bin = .venv/bin

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand --tabs=10

.PHONY: demo
demo: .venv/.installed ## Generate a service, build it, run it as in production, and call it
	@scripts/demo

.PHONY: test
test: .venv/.installed .venv-checkov/.installed .renovate/.installed ## Run the tests (ARGS="tests/render -k NAME")
	$(bin)/pytest --numprocesses auto --dist loadgroup $(ARGS)

.PHONY: lint
lint: lint-python lint-shell lint-yaml lint-workflows ## Check this repository's own files

.PHONY: lock
lock: .venv/.installed ## Lock the requirements again (ARGS=--upgrade for newer versions)
	scripts/lock $(ARGS)

.PHONY: bench
bench: .venv/.installed ## Measure size, start and rebuild against other layouts
	$(bin)/python bench/run $(ARGS)

.PHONY: fleet
fleet: .venv/.installed ## Services and their template: ARGS="status ~/services", ARGS="update ~/services"
	@scripts/fleet $(ARGS)

.PHONY: release
release: ## Check, commit and tag a release (VERSION=1.2.3)
	@scripts/release

.PHONY: clean
clean: ## Remove what the other verbs made here
	rm -rf build .venv .venv-checkov .renovate .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# The parts of `lint`, which .pre-commit-config.yaml calls one by one.

.PHONY: lint-python
lint-python: .venv/.installed
	$(bin)/ruff check
	$(bin)/ruff format --check

# The templates' own scripts too, but for those that must be rendered first.
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

.venv/.installed: requirements/dev.txt
	scripts/venv .venv $<

.venv-checkov/.installed: requirements/checkov.txt requirements/dev.txt
	scripts/venv .venv-checkov $<

# Renovate's own validator. Without its scripts: they build native modules, which validating does without.
renovate = 44.121.2
.renovate/.installed: Makefile .venv/.installed
	rm -rf .renovate && mkdir .renovate
	PATH="$(CURDIR)/$(bin):$$PATH" npm install --prefix .renovate --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error renovate@$(renovate)
	touch $@
