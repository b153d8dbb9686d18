#!/usr/bin/env bash
# Write a release of the commit into dist/: the wheel, the images, for each what it is made of (CycloneDX), and the sums of all of them.
# Nothing in it depends on when or where it is made: whoever builds the commit on the same day gets the same sums. (Debian's packages move on.)
#   release.sh           everything, as root        release.sh wheel FOLDER   the wheel alone
set -euo pipefail
cd "$(dirname "$0")/.."
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
umask 022

wheel() {
    local source
    source=$(mktemp -d)
    git -c tar.umask=0022 archive HEAD | tar -x -C "$source"
    .venv/bin/python -m pip wheel --disable-pip-version-check -q --no-deps --no-index --no-build-isolation -w "$1" "$source"
    rm -rf "$source"
}

if [ "${1:-}" = wheel ]; then
    wheel "$2"
    exit
fi
if ! git diff --quiet HEAD --; then
    echo "the checkout differs from its commit: a release is made of what is committed; commit or undo it" >&2
    exit 1
fi
rm -rf dist && mkdir dist
wheel dist
for name in services oversight broker database; do
    bash deploy/image/build.sh "$name" "dist/referral-$name.tar" >/dev/null
    .venv/bin/python deploy/image/sbom.py "$name" "dist/referral-$name.tar" >"dist/referral-$name.cdx.json"
done
(cd dist && sha256sum -- * >SHA256SUMS && cat SHA256SUMS)
