#!/bin/bash
# Take a backup of the whole server, check it, and only then let it count.
#   backup.sh full|incremental FOLDER
# FOLDER is that of archive.sh, on a machine that is not the database's. A backup is a folder that is named by the time of its end.
# The server is in libpq's variables, as for archive.sh, and PGDATABASE=postgres. KEEP=5: full backups that are kept, with all between them.
#
# No key is in a backup: neither the master key nor a service's. Keep them apart from it (docs/operators.md, Keep the master key).
set -euo pipefail
kind=${1:?full or incremental} folder=${2:?the folder of the backups}
here=$(cd "$(dirname "$0")" && pwd)
umask 077
exec 9>"$folder/lock"
flock --nonblock 9 || { echo "backup: another backup is being taken: let it end" >&2; exit 1; } # they would write into one folder
part=$folder/new.part
rm -rf "$part" # of a backup that was interrupted
below=()
if [ "$kind" = incremental ]; then
    last=$(find "$folder" -maxdepth 1 -name '*Z-full' -o -maxdepth 1 -name '*Z-incremental' | sort | tail -n 1)
    below=(--incremental "${last:?there is no full backup to build on}/backup_manifest")
elif [ "$kind" != full ]; then
    echo "backup: full or incremental, not $kind" >&2
    exit 1
fi
pg_basebackup --pgdata "$part" --checkpoint fast --wal-method none --manifest-checksums SHA256 --no-password "${below[@]}"
python3 "$here/check_backup.py" --one "$part"
at=$(date +%s)
now=$(date -u --date "@$at" +%Y%m%dT%H%M%SZ)
mv "$part" "$folder/$now-$kind"
sync

# What is older than the oldest kept full backup goes, and so do the keys of cases that were erased since.
oldest=$(find "$folder" -maxdepth 1 -name '*Z-full' | sort | tail -n "${KEEP:-5}" | head -n 1)
for old in "$folder"/*Z-full "$folder"/*Z-incremental; do
    if [[ -e $old && $old < $oldest ]]; then rm -rf "$old"; fi
done
pg_archivecleanup "$folder/wal" "$(sed -n 's/^START WAL LOCATION: .* (file \(.*\))$/\1/p' "$oldest/backup_label")"

# The role that takes backups carries the time of the last good one: `referral doctor` and audit's metrics read it there.
psql --no-psqlrc --no-password --quiet --set ON_ERROR_STOP=1 --command "ALTER ROLE CURRENT_USER SET referral.backup TO '$at'"
echo "$folder/$now-$kind"
