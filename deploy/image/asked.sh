#!/bin/sh
# Ask the broker of a server.properties to write no record, and exit 0 if it answers: asked.sh FILE. It shows the broker's own certificate.
# The image has no more commands than packages/java brings: no sed, no grep.
set -eu
file=$1
of() { while IFS='=' read -r name value; do [ "$name" != "$1" ] || echo "$value"; done <"$file" | tail -n 1; }
first=$(of listeners)
first=${first%%,*}
# Produce 3, number 1, no client, no transaction, one copy, within a second, no topic: PRODUCE of referral/local/kafka.py.
request='\000\000\000\026\000\000\000\003\000\000\000\001\377\377\377\377\000\001\000\000\003\350\000\000\000\000'
own=$(of ssl.keystore.location)
answer=$(
    { printf "$request"; sleep 5; } |
        timeout 8 openssl s_client -quiet -no_ign_eof -connect "localhost:${first##*:}" -cert "$own" -cert_chain "$own" \
            -CAfile "$(of ssl.truststore.location)" -verify_return_error 2>/dev/null |
        head -c 8 | od -An -tx1
)
case $answer in *' 00 00 00 01') ;; *) exit 1 ;; esac
