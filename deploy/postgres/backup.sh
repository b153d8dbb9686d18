#!/bin/bash
# Take a backup of the whole server, check it, and only then let it count.
#   backup.sh full|incremental|due FOLDER
# due: full when the last full one is a week old, or where the server takes no incremental ones (before PostgreSQL 17); else incremental.
# FOLDER is that of archive.sh, on a machine that is not the database's. A backup is a folder that is named by the time of its end.
# The server is in libpq's variables, as for archive.sh, and PGDATABASE=postgres. KEEP=5: full backups that are kept, with all between them.
#
# It is encrypted as it comes (sealing.sh), so it is checked before: no byte of it is on this disk in clear. A backup's folder has base.tar.age
# and, in clear, PostgreSQL's backup_manifest and backup_label: names, sizes and digests of files, which the next incremental one needs.
# No key is in a backup: neither the master key nor a service's. Keep them apart from it (docs/operators.md, Keep the master key).
set -euo pipefail
kind=${1:?full, incremental or due} folder=${2:?the folder of the backups} keep=${KEEP:-5}
here=$(cd "$(dirname "$0")" && pwd)
umask 077
export PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" # no notice about an archive_command: archive.sh is in its place
# shellcheck source=deploy/postgres/sealing.sh
. "$here/sealing.sh"
asked() { psql --no-psqlrc --no-password --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 --command "$1"; }
newest() { find "$folder" -maxdepth 1 -name "*Z-$1" | sort | tail -n "${2:-1}" | head -n 1; } # $2=3: the third
[[ $kind =~ ^(full|incremental|due)$ ]] || refuse "full, incremental or due, not $kind"
[[ $keep =~ ^[1-9][0-9]*$ ]] || refuse "KEEP is the number of full backups that are kept, 1 or more, not $keep"
[ -d "$folder/wal" ] || refuse "$folder has no log of the server, without which no backup can be restored: start archive.sh first"
exec 9>"$folder/lock"
flock --nonblock 9 || refuse "another backup is being taken: let it end" # they would write into one folder

version=$(asked "SELECT current_setting('server_version_num')::int / 10000") || refuse "the server does not answer; nothing was taken"
if [ "$kind" = due ]; then
    week=$(date -u --date '156 hours ago' +%Y%m%dT%H%M%SZ) # six days and a half: no timer is exact
    if [ "$version" -lt 17 ] || [[ $(basename "$(newest full)") < $week ]]; then kind=full; else kind=incremental; fi
fi
below=()
if [ "$kind" = incremental ]; then
    [ "$version" -ge 17 ] || refuse "PostgreSQL $version takes no incremental backups, 17 and newer do: take a full one"
    last=$(newest '*')
    [ -n "$last" ] || refuse "there is no full backup to build on: take a full one"
    below=(--incremental "$last/backup_manifest")
fi
part=$folder/new.part
rm -rf "$part" # of a backup that was interrupted
mkdir "$part"
pg_basebackup --pgdata - --format tar --checkpoint fast --wal-method none --manifest-checksums SHA256 --no-password "${below[@]}" |
    python3 "$here/check_backup.py" --take "$part" | seal "$part/base.tar.age"
python3 "$here/check_backup.py" --one "$part"
last=$(basename "$(newest '*')")
while true; do
    at=$(asked "SELECT ceil(extract(epoch FROM clock_timestamp()))::bigint") # a restore's time is by the database's clock too
    now=$(date -u --date "@$at" +%Y%m%dT%H%M%SZ)
    [[ $now > $last ]] && break
    [ "$now" = "${last%%-*}" ] || refuse "the last backup is $last, and the database's clock says $now: set the clock right"
    sleep 0.2 # names are in the order of the backups, and a name is a second
done
mv --no-target-directory "$part" "$folder/$now-$kind"
sync "$folder" # its files are on the disk already

# What is older than the oldest kept full backup goes, and so do the keys of cases that were erased since.
oldest=$(newest full "$keep")
for old in "$folder"/*Z-full "$folder"/*Z-incremental; do
    if [[ -e $old && $old < $oldest ]]; then rm -rf "$old"; fi
done
pg_archivecleanup -x .age "$folder/wal" "$(sed -n 's/^START WAL LOCATION: .* (file \(.*\))$/\1/p' "$oldest/backup_label")"

# The role that takes backups carries the time of the last good one: `referral doctor` and audit's metrics read it there.
asked "ALTER ROLE CURRENT_USER SET referral.backup TO '$at'"
echo "$folder/$now-$kind"
