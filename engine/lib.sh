# Sourced by the scripts beside it.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts that source this file use these names

cache=$(realpath --canonicalize-missing "${ENGINE_CACHE:-/var/cache/docker-engine}")
root=$cache/root # where Docker's packages are unpacked
socket=unix://$cache/docker.sock

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$@"; exit 1; }

# Print the process id of this cache's dockerd. The pid file outlives a crash, and the
# number may belong to another program by then, so compare the command line too.
engine_pid() {
    local pid
    pid=$(cat "$cache/docker.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -- "$socket" && echo "$pid"
}

# need FILE=PACKAGE...: install each package whose file or command is missing.
need() {
    local entry packages=()
    for entry in "$@"; do
        [ -e "${entry%=*}" ] || command -v "${entry%=*}" >/dev/null || packages+=("${entry#*=}")
    done
    [ "${#packages[@]}" -gt 0 ] || return 0
    say "installing ${packages[*]}"
    # An unreachable third-party source makes the update fail, but these packages are Debian's own.
    apt-get -qq update || say "apt-get update failed; continuing with the existing package lists"
    DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "${packages[@]}" >/dev/null ||
        die "cannot install ${packages[*]} from this machine's package sources"
}

# Print the URL of the Debian mirror that this machine uses.
mirror() {
    local url attempt
    for attempt in 1 2; do
        # shellcheck disable=SC2016 # the format is apt's
        url=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sed -n 1p)
        if [ -z "$url" ] && [ "$attempt" = 1 ]; then apt-get -qq update >&2 || true; fi # no package lists yet
    done
    [ -n "$url" ] || die "this machine's package sources name no Debian mirror that can be reached"
    echo "$url"
}

# unpack SUITE PACKAGE...: download Debian packages and unpack them into $root, with an apt
# configuration separate from that of the machine.
unpack() {
    local suite=$1 apt=$root.apt mirror deb options
    shift
    mirror=$(mirror) || return 1
    rm -rf "$apt"
    mkdir -p "$apt"/{etc/apt/apt.conf.d,etc/apt/preferences.d,state/lists/partial,cache/archives/partial,debs,root}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/etc/apt/sources.list"
    # The Release file of Debian testing expires after a week, and some mirrors are older
    # snapshots, so ignore its date. apt still checks signatures and package hashes.
    options=(-qq -o Dir::Etc="$apt/etc/apt" -o Dir::State="$apt/state" -o Dir::Cache="$apt/cache"
        -o Dir::State::status=/dev/null -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false)
    apt-get "${options[@]}" -o APT::Update::Error-Mode=any update &&
        (cd "$apt/debs" && apt-get "${options[@]}" download "$@") || return 1
    for deb in "$apt"/debs/*.deb; do dpkg-deb -x "$deb" "$apt/root" || return 1; done
    # Move everything in one step, so that an interrupted run leaves no partial $root. If
    # $root exists, add only missing files: a program may be running from it.
    if [ -d "$root" ]; then tar -C "$apt/root" -c . | tar -C "$root" -x --skip-old-files; else mv "$apt/root" "$root"; fi
    rm -rf "$apt"
}
