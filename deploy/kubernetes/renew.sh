#!/usr/bin/env bash
# Renew the certificates that are half over, and give them to the cluster: renew.sh FOLDER, each hour, on the authority's machine.
# FOLDER is what `referral init` made, with `secrets/` copied into it; kubectl may be somebody whom the Role `certificates` names, and nobody more.
set -euo pipefail
cd "$1"
referral ca renew authority ./*/tls kafka postgres
# Secret, namespace, then the files of it.
give() {
    kubectl create secret "$3" "$1" --namespace "$2" "${@:4}" --dry-run=client --output=json | kubectl apply --server-side --filename=-
}
for service in intake routing notifier audit oversight; do
    give "$service-tls" referral generic --from-file="$service/tls/identity.pem" --from-file="$service/tls/authority.pem" --from-file="$service/tls/revoked.pem"
done
give kafka-tls referral-servers generic --from-file=tls.crt=kafka/identity.pem --from-file=tls.key=kafka/identity.pem --from-file=kafka/root.pem
give postgres-tls referral-servers tls --cert=postgres/identity.pem --key=postgres/identity.pem
