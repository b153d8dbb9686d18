#!/usr/bin/env bash
# Installs the programs of others that some tests need, where this machine lets it (root, Debian). What is there already stays as it is.
# Whatever cannot be had is named, and the tests that need it skip and say so.
set -uo pipefail

may() { command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; }

# want SENTENCE PROGRAM:PACKAGE...: install the packages of programs that are missing. recommended: apt-get's word about others beside them.
want() {
    local sentence=$1 need=() one
    shift
    for one in "$@"; do command -v "${one%%:*}" >/dev/null || need+=("${one#*:}"); done
    [ ${#need[@]} -gt 0 ] || return 0
    if may && { [ -n "${updated:-}" ] || apt-get update -q >/dev/null; } && updated=yes &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q ${recommended:-} "${need[@]}" >/dev/null; then
        echo "installed ${need[*]}"
    else
        echo "missing ${need[*]}: $sentence"
    fi
}

# No package may start a server of its own: tests start theirs, and would find another engine at its usual socket.
refusal=/usr/sbin/policy-rc.d
if may && [ ! -e $refusal ]; then
    printf '#!/bin/sh\nexit 101\n' >$refusal && chmod 755 $refusal
    trap 'rm -f $refusal' EXIT
fi

want "the tests that need them will skip and say so" \
    chromium:chromium chromedriver:chromium-driver strace:strace ip:iproute2 baresip:baresip-core sipp:sip-tester kamailio:kamailio \
    espeak-ng:espeak-ng sox:sox setpriv:util-linux bearerbox:kannel node:nodejs npm:npm curl:curl

# Prometheus, Alertmanager, node_exporter and faketime are unpacked, not installed (34 MB): their packages want a server each.
if ! command -v prometheus-alertmanager >/dev/null || ! command -v faketime >/dev/null; then
    packages=(prometheus prometheus-alertmanager prometheus-node-exporter faketime libfaketime)
    unpacked=$(mktemp -d)
    if may && (cd "$unpacked" && { apt-get download -q "${packages[@]}" || { apt-get update -q && apt-get download -q "${packages[@]}"; }; } &&
        for one in *.deb; do dpkg-deb -x "$one" .; done && install usr/bin/* /usr/local/bin/ && cp -a usr/lib/. /usr/lib/ &&
        install -D -m 644 -t /usr/share/prometheus/alertmanager usr/share/prometheus/alertmanager/*.tmpl) >/dev/null 2>&1; then
        echo "unpacked ${packages[*]}"
    else
        echo "missing ${packages[*]}: the tests that need them will skip and say so"
    fi
    rm -rf "$unpacked"
fi

# What `make deploy-test` needs besides.
recommended=--no-install-recommends want "the tests of deploy/ that need them will skip and say so" \
    dockerd:docker.io docker-compose:docker-compose buildah:buildah iptables:iptables age:age
