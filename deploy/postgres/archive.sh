#!/bin/bash
# Receive the database's write-ahead log as it is written, as a standby that counts: a commit waits until its log is on this disk.
#   archive.sh FOLDER
# It ends when the server does not answer: let systemd, or a container's restart, begin it again. Where the server is, is in libpq's
# variables: PGHOST (all servers, with commas), PGTARGETSESSIONATTRS=read-write, PGUSER=archive, PGPASSFILE, PGSSLMODE=verify-full, PGSSLROOTCERT.
set -euo pipefail
wal=${1:?the folder of the backups}/wal
umask 077
mkdir -p "$wal"
export PGAPPNAME=archive # the name in synchronous_standby_names
pg_receivewal --slot archive --create-slot --if-not-exists
exec pg_receivewal --slot archive --synchronous --no-loop --directory "$wal"
