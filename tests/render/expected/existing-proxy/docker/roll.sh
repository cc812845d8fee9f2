#!/bin/sh
# Replace the running replicas by replicas of the image in EXISTING_PROXY_IMAGE, and lose no request.
# If the new ones do not become healthy, remove them; the old ones go on.
# For a larger stack, set COMPOSE_FILE to its root file, and run this in the folder of that file.
set -eu

if [ -z "${COMPOSE_FILE:-}" ]; then
    cd "$(dirname "$0")/.."
    export COMPOSE_FILE=docker-compose.prod.yml
fi
compose() { docker compose "$@"; }
service=existing-proxy

old=$(compose ps --quiet "$service")
[ -n "$old" ] || { compose up --detach --wait; exit; }
count=$(echo "$old" | wc -l)

compose run --rm --no-deps existing-proxy-release

if ! compose up --detach --wait --no-deps --no-recreate --scale "$service=$((2 * count))" "$service"; then
    new=$(compose ps --all --quiet "$service" | grep -vxF "$old") && echo "$new" | xargs docker rm --force >/dev/null
    echo "roll: the new version is not healthy, so the old one goes on" >&2
    exit 1
fi
# The proxy asks for the addresses of the replicas, and for their health, once a second.
sleep 3
echo "$old" | xargs docker stop >/dev/null
echo "$old" | xargs docker rm >/dev/null
compose up --detach --wait --no-deps existing-proxy-mails
