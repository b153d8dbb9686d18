#!/usr/bin/env bash
# Write the root file system that our image stands on: base.sh FILE. Debian's essential packages and Python, without documentation.
# Whoever has an official slim Python image pinned by its digest gives build.sh that one as BASE, and needs none of this.
set -euo pipefail
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:?seconds; build.sh sets it}
without() { printf -- '--dpkgopt=path-exclude=%s\n' "$@"; }
mapfile -t spare < <(without '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*' '/usr/share/locale/*' '/usr/share/lintian/*' \
    '/usr/lib/python3*/lib2to3/*' '/usr/lib/python3*/pydoc_data/*' \
    '/usr/lib/x86_64-linux-gnu/gconv/*' '/usr/share/zoneinfo/right/*' '/usr/share/zoneinfo/posix/*')
# Recommended packages, and usrmerge in place of usr-is-merged, would bring a whole Perl (47 MB).
exec mmdebstrap --quiet --variant=essential --aptopt='APT::Install-Recommends "false"' --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=usr-is-merged,python3-minimal,libpython3.11-stdlib,ca-certificates,libstdc++6,tzdata "${spare[@]}" \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' bookworm "$1"
