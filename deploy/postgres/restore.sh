#!/bin/bash
# Restore the database as it was at a moment, or as far as the archive goes, into a new folder.
#   restore.sh FOLDER KEY DATA [TIME]      restore.sh /backup /dev/shm/backup.key /var/lib/postgresql/18/new 2026-11-29T02:03:04Z
# KEY is the file with the key of one of the two operators to whom the backups are encrypted; bring it for this, and take it away again.
# It checks every byte first, and it replaces nothing: DATA is empty or does not exist. Put it in the old folder's place yourself.
# Beside DATA it needs, until it ends, as much space again as the backups and the log behind them have.
# Run it as the user of the server, with the programs of the server's version in PATH. TIME is by the database's clock.
set -euo pipefail
folder=$(realpath "${1:?the folder of the backups}") key=${2:?the file with the key of one of the two operators}
data=$(realpath --canonicalize-missing "${3:?a new folder for the data}") until=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
umask 077
refuse() { echo "restore: $1" >&2; exit 1; }
[ ! -e "$data/postmaster.pid" ] || refuse "a server runs on $data, or did: restore into another folder"
[ -z "$(ls -A "$data" 2>/dev/null)" ] || refuse "$data is not empty: restore into another folder"
command -v age >/dev/null || refuse "there is no program age, which decrypts the backups: apt-get install age"
stage=$(mktemp -d) plain=$(mktemp -d "$data.XXXXXX") # a socket's path is short
trap 'rm -rf "$stage" "$plain"' EXIT
python3 "$here/check_backup.py" "$folder" --stage "$plain" --key "$key" ${until:+--until "$until"} >"$stage/chain" ||
    refuse "refused, and nothing was written"
mapfile -t chain <"$stage/chain"
echo "restore: checked ${#chain[@]} backups and the log behind them; combining" >&2
if [ "${#chain[@]}" = 1 ]; then
    mkdir -p "$data"
    cp -a "${chain[0]}/." "$data"
else
    pg_combinebackup --output "$data" --no-manifest "${chain[@]}"
fi
chmod 700 "$data"

# Replay the log here, with a server that nobody can reach, so that a fault is found before anything is replaced.
echo "restore: replaying the log${until:+ up to $until}" >&2
: >"$stage/empty.conf"
echo 'local all all reject' >"$stage/hba.conf"
touch "$data/recovery.signal"
target=()
if [ "$(cat "$data/PG_VERSION")" -ge 17 ]; then target+=(-c summarize_wal=off); fi
if [ -n "$until" ]; then target+=(-c "recovery_target_time=$until" -c recovery_target_inclusive=off -c recovery_target_action=promote); fi
printf -v options '%q ' -c "config_file=$stage/empty.conf" -c "hba_file=$stage/hba.conf" -c "ident_file=$stage/empty.conf" \
    -c "restore_command=cp $plain/wal/%f %p" -c hot_standby=off -c listen_addresses= \
    -c "unix_socket_directories=$stage" -c synchronous_standby_names= "${target[@]}"
useless() {
    grep -E 'FATAL|PANIC' "$stage/log" | tail -n 1 >&2 || true
    echo "restore: $data is of no use, remove it; nothing else was touched" >&2
    exit 1
}
pg_ctl start --pgdata "$data" --log "$stage/log" --wait --timeout 600 --silent --options "$options" || useless
until LC_ALL=C pg_controldata "$data" | grep '^Database cluster state: *in production$' >/dev/null; do
    pg_ctl status --pgdata "$data" >/dev/null || useless
    sleep 0.2
done
pg_ctl stop --pgdata "$data" --wait --timeout 86400 --silent --mode fast
grep -E 'last completed transaction|recovery stopping' "$stage/log" | sed 's/^.*LOG: */restore: /' >&2 || true
echo "restore: $data is the database as it was; now docs/operators.md, Backup and restore" >&2
