#!/usr/bin/env bash
# Build an image as an OCI archive and print its digest: build.sh NAME FILE. NAME: services, or oversight, which brings scipy and Faust.
# Two builds of one commit have one digest. BASE=name: another base image than Debian's, pinned by its digest.
set -euo pipefail
name=$1 file=$(realpath "$2")
cd "$(dirname "$0")/../.."
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/context"

# What is committed, and no file more.
git archive HEAD referral services schemas policy LICENSE | tar -x -C "$work" --one-top-level=context/app
.venv/bin/uv pip install -q --target "$work/context/site" --require-hashes --only-binary :all: --python-version 3.11 \
    --python-platform x86_64-manylinux_2_28 --link-mode copy -r "deploy/image/$name.lock"
rm -rf "$work/context/site/bin" "$work/context/site/.lock"
# Sources of compiled modules, and what other packages' tests need.
find "$work/context/site" -type f \( -name '*.c' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.pyi' \) -delete
rm -rf "$work/context/site/sqlalchemy/testing" "$work/context/site/alembic/testing"
find "$work/context/site" -name '*.dist-info' -type d -exec sh -c 'rm -f "$1"/RECORD "$1"/INSTALLER "$1"/REQUESTED "$1"/direct_url.json "$1"/uv_cache.json' _ {} \;

build=(buildah --storage-driver "${STORAGE:-overlay}")
if [ -z "${BASE:-}" ]; then
    BASE=referral-base
    bash deploy/image/base.sh "$work/base.tar"
    printf 'FROM scratch\nADD base.tar /\n' >"$work/Base"
    "${build[@]}" bud -q --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" -t "$BASE" -f "$work/Base" "$work" >/dev/null
fi
"${build[@]}" bud -q --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" --build-arg "BASE=$BASE" --label "org.opencontainers.image.revision=$(git rev-parse HEAD)" \
    -t "referral-$name" -f deploy/image/Containerfile "$work/context" >/dev/null
rm -f "$file"
"${build[@]}" push -q --digestfile "$work/digest" "referral-$name" "oci-archive:$file:referral-$name"
cat "$work/digest"; echo
