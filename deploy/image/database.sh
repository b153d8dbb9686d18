#!/bin/sh
# Start the database server of this container; its first start makes an empty database. Arguments are the server's: -c name=value.
#   DATABASE_PASSWORD_FILE  file with the keeper's password
#   DATABASE_KEEPER         the keeper's name, keeper
#   DATABASE                the database's name, referral
# It answers by TLS alone where the arguments name a certificate (ssl_cert_file), and asks everybody for a password.
set -eu
data=/var/lib/postgresql/main/data
if [ ! -e "$data" ]; then
    rm -rf "$data.new"
    initdb --pgdata "$data.new" --username "${DATABASE_KEEPER:-keeper}" --pwfile "$DATABASE_PASSWORD_FILE" --auth scram-sha-256 \
        --encoding UTF8 --locale C --no-instructions
    kind=host
    case "$*" in *ssl_cert_file=*) kind=hostssl ;; esac
    printf '%s\n' 'local all all scram-sha-256' "$kind all all all scram-sha-256" >"$data.new/pg_hba.conf"
    echo "CREATE DATABASE ${DATABASE:-referral}" | postgres --single -D "$data.new" postgres >/dev/null
    mv "$data.new" "$data"  # complete now: a start that was killed begins again
fi
case "$*" in *ssl_cert_file=*) set -- "$@" -c ssl=on -c ssl_min_protocol_version=TLSv1.3 ;; esac
# DETAIL of an error quotes rows, which no log may hold.
exec postgres -D "$data" -c 'listen_addresses=*' -c unix_socket_directories=/tmp -c jit=off -c log_error_verbosity=terse "$@"
