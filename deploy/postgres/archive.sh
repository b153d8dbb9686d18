#!/bin/bash
# Receive the database's write-ahead log as it is written, as a standby that counts: a commit waits until this machine has its log.
#   archive.sh FOLDER
# It is received into memory (RUNTIME_DIRECTORY, a tmpfs), and only encrypted does it go to the disk: each segment when it is complete, the
# one that is being written every SEAL_S seconds and when this ends. A server that lives sends again what the memory lost.
# It ends when the server does not answer: let systemd, or a container's restart, begin it again. Where the server is, is in libpq's
# variables: PGHOST (all servers, with commas), PGTARGETSESSIONATTRS=read-write, PGUSER=archive, PGPASSFILE, PGSSLMODE=verify-full, PGSSLROOTCERT.
set -euo pipefail
export LC_ALL=C PGAPPNAME=archive # the name in synchronous_standby_names
folder=$(realpath --canonicalize-missing "${1:?the folder of the backups}")
wal=$folder/wal
umask 077
mkdir -p "$wal"
# shellcheck source=deploy/postgres/sealing.sh
. "$(dirname "$0")/sealing.sh"
open=${RUNTIME_DIRECTORY:-/nonexistent}/$(basename "$folder")
[ "$(stat --file-system --format %T "$(dirname "$open")" 2>/dev/null)" = tmpfs ] ||
    refuse "nothing was written: RUNTIME_DIRECTORY (${RUNTIME_DIRECTORY:-not set}) must be a folder in memory, as below /run or /dev/shm"
mkdir -p "$open"
rm -f "$wal"/*.part # of a seal that was interrupted

SEAL_S=10 # (ours) what a power cut here loses at most of a database whose disk is lost in the same moment
received() { find "$open" -regextype posix-extended -regex ".*/[0-9A-F]{24}$1" | sort; }

# Seal what is complete. The newest file stays in memory: by it pg_receivewal knows where to go on.
settle() {
    local path name newest
    newest=$(received '(\.partial)?' | tail -n 1)
    for path in $(find "$open" -name '*.history') $(received ''); do
        name=$(basename "$path")
        [ -e "$wal/$name.age" ] || seal "$wal/$name.age" <"$path"
        rm -f "$wal/$name.partial.age"
        if [[ $path != "$newest" && $name != *.history ]]; then rm "$path"; fi
    done
}

# Seal the segment that is being written, as far as it is. Those of an older timeline end so.
settle_partial() {
    local path newest
    newest=$(received '(\.partial)?' | tail -n 1)
    for path in $(received '\.partial'); do
        seal "$wal/$(basename "$path").age" <"$path"
        if [ "$path" != "$newest" ]; then rm "$path"; fi
    done
}

settle
settle_partial
pg_receivewal --slot archive --create-slot --if-not-exists
if [ -z "$(received '(\.partial)?')" ]; then # the machine was off: go on behind what is sealed, of which pg_receivewal knows by its file
    last=$(find "$wal" -regextype posix-extended -regex '.*/[0-9A-F]{24}\.age' | sort | tail -n 1)
    size=$(psql --no-psqlrc --no-password --quiet --no-align --tuples-only --command "SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'")
    if [ -n "$last" ]; then truncate --size "$size" "$open/$(basename "$last" .age)"; fi
fi
pg_receivewal --slot archive --synchronous --no-loop --directory "$open" &
receiver=$!
trap 'kill $receiver 2>/dev/null || true' TERM INT
trap 'kill $receiver 2>/dev/null || true; wait' EXIT # nothing counts that is not sealed: a full disk ends this too
sealed=$SECONDS
while kill -0 $receiver 2>/dev/null; do
    settle
    if ((SECONDS - sealed >= SEAL_S)); then
        settle_partial
        sealed=$SECONDS
    fi
    sleep 1 || true
done
settle
settle_partial
wait $receiver
