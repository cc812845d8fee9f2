#!/bin/sh
# Run `copier update` so that it loses no edit, or refuse to run it. `make update` calls this
# script, in the folder of the project, unless fleet is installed.

# Print a line for each file in which Copier would lose edits without a message.
problems() {
    git ls-files -v --eol -- "$@" | awk -F '\t' '
        /^[Ss]/ { print $2 ": marked skip-worktree; run git update-index --no-skip-worktree " $2 }
        /^[hs]/ { print $2 ": marked assume-unchanged; run git update-index --no-assume-unchanged " $2 }
        /i\/-text/ { print $2 ": not a text file; save it as UTF-8 and commit it" }'
    git ls-files --cached --others --ignored --exclude-standard -- "$@" \
        | sed 's|.*|&: ignored by git; run git check-ignore -v --no-index &, remove the rule and commit the file|'
    find "$@" -prune ! -type f 2>/dev/null | sed 's/$/: not a regular file; replace it by one/'
    find .devcontainer docker docker/build -prune ! -type d 2>/dev/null | sed 's/$/: not a folder; replace it by one/'
    sed 1,2d .copier-answers.yml | grep -E "^#|^[^'\"]* #" \
        | sed 's/.*/.copier-answers.yml: Copier drops this comment; remove it: &/'
    git rev-parse --show-prefix | LC_ALL=C grep '[^ -~]' \
        | sed 's/$/: Copier can fail half-way in a folder of this name; install fleet, or rename the folder/'
}

# Give git these settings, NAME=VALUE..., which have precedence over its configuration files.
configure() {
    count=${GIT_CONFIG_COUNT:-0}
    for setting in "$@"; do
        export "GIT_CONFIG_KEY_$count=${setting%%=*}" "GIT_CONFIG_VALUE_$count=${setting#*=}"
        count=$((count + 1))
    done
    export GIT_CONFIG_COUNT="$count"
}

main() {
    # The files that an update may change.
    set -- .compose-lint.yml .copier-answers.yml .dockerignore .gitignore .hadolint.yaml \
        .pre-commit-config.yaml Dockerfile Makefile docker-bake.hcl docker-compose.prod.yml \
        docker-compose.yml docker/copier-update.sh docker/healthcheck.py renovate.json \
        .devcontainer/compose.yml .devcontainer/devcontainer.json docker/debug.yml \
        docker/logging.json docker/logs.py docker/start.py \
        .trivyignore.yaml docker/verify.sh \
        docker/build/venv-compile docker/build/venv-prune \
        docker/build/debian-stage docker/build/ldconfig docker/build/stage-python \
        docker/build/stage-system \
        docker/empty-secret
    if problems "$@" | grep . >&2; then
        exit 1
    fi
    # With other values, Copier can lose edits, hide conflicts or fail half-way.
    configure apply.whitespace=nowarn core.attributesFile=/dev/null core.hooksPath=/dev/null \
        core.quotePath=true status.showUntrackedFiles=normal
    GIT_ATTR_NOSYSTEM=1 copier update --defaults || exit
    ! git diff --name-status --diff-filter=DU --relative \
        | sed 's/[[:space:]]/ /; s/^U/conflict:/; s/^D/deleted by the template, with any edits of yours:/' \
        | grep . >&2
}

# The exit is on this line because the update may replace this file while the shell reads it.
main; exit
