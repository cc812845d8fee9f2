#!/bin/sh
# Replace the running replicas by replicas of the image in ORDERS_IMAGE, and lose no request.
# If the new ones do not become ready, remove them; the old ones go on.
# For a larger stack, set COMPOSE_FILE to its root file, and run this in the folder of that file.
set -eu

# Two rolls at the same time would remove each other's replicas.
exec 9<"$0"
if command -v flock >/dev/null && ! flock -n 9; then
    echo "roll: another roll is running" >&2
    exit 1
fi

if [ -z "${COMPOSE_FILE:-}" ]; then
    cd "$(dirname "$0")/.."
    export COMPOSE_FILE=docker-compose.prod.yml
fi
compose() { docker compose "$@"; }
service=orders

fail() {
    echo "roll: $1" >&2
    exit 1
}

# proxy COMMAND: ask the proxy, which takes commands on its own loopback interface.
proxy() {
    compose exec -T "$service-proxy" bash -c "exec 3<>/dev/tcp/127.0.0.1/9999; echo '$1' >&3; cat <&3"
}

# servers state|conn REPLICAS: print what the proxy knows of these replicas.
servers() {
    addresses=$(echo "$2" | xargs docker inspect --format \
        '{{range .NetworkSettings.Networks}}{{println .IPAddress}}{{end}}' | grep .) || return 0
    proxy "show servers $1 replicas" | grep -wF "$addresses" || true
}

# remove REPLICAS: let them answer what the proxy has sent them, then remove them.
remove() {
    names=$(servers state "$1" | cut -d ' ' -f 4)
    for name in $names; do proxy "set server replicas/$name state drain" >/dev/null || true; done
    for _ in $(seq 30); do
        servers conn "$1" | awk '$7 > 0 { busy = 1 } END { exit busy }' && break
        sleep 1
    done
    echo "$1" | xargs docker stop >/dev/null
    echo "$1" | xargs docker rm >/dev/null
    # The proxy forgets the addresses in about a second. It keeps the state for the next replica.
    sleep 3
    for name in $names; do proxy "set server replicas/$name state ready" >/dev/null || true; done
}

# undo REASON: show what a new replica logged, remove the new replicas, and end with an error.
undo() {
    trap '' HUP INT TERM
    if new=$(compose ps --all --quiet "$service" | grep -vxF "$old"); then
        docker logs --tail 20 "$(echo "$new" | head -n 1)" >&2 || true
        remove "$new"
    fi
    fail "$1, so the old version goes on"
}

# Compose would start stopped replicas again, with their old image.
compose rm --force "$service" 2>/dev/null || true
old=$(compose ps --all --quiet "$service")
[ -n "$old" ] || { compose up --detach --wait; exit; }
count=$(echo "$old" | wc -l)
[ "$count" -le 4 ] || fail "$count replicas run, but docker/haproxy.cfg has places to replace 4: scale down first"
proxy "show info" >/dev/null || fail "$service-proxy does not run: start it first"

compose run --rm --no-deps orders-release ||
    fail "the release command failed, so the old version goes on"

trap 'undo "interrupted"' HUP INT TERM
compose up --detach --no-deps --no-recreate --scale "$service=$((2 * count))" "$service" ||
    undo "the new version does not start"
new=$(compose ps --all --quiet "$service" | grep -vxF "$old")
seconds=0
# The proxy asks whether a replica is ready (its state 2), Docker whether it is healthy.
until
    health=$(echo "$new" | xargs docker inspect --format \
        '{{.State.Status}} {{.State.Health.Status}}' | sort -u)
    [ "$health" = "running healthy" ] &&
        servers state "$new" | awk -v missing="$count" '$6 == 2 { missing-- } END { exit missing }'
do
    case $health in *restarting* | *exited* | *unhealthy*) undo "the new version is not healthy" ;; esac
    seconds=$((seconds + 1))
    [ "$seconds" -lt 120 ] || undo "the new version is not ready"
    sleep 1
done

trap '' HUP INT TERM
remove "$old"
compose up --detach --wait --no-deps orders-worker orders-beat
