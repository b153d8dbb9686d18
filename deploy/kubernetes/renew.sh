#!/usr/bin/env bash
# Renew the certificates that are half over, and give them to the cluster: renew.sh FOLDER, each hour, on the authority's machine.
# FOLDER is what `referral init` made, with `secrets/` copied into it; kubectl may be somebody whom the Role `certificates` names, and nobody more.
set -euo pipefail
cd "$1"
referral ca renew authority ./*/tls kafka postgres
for part in . kafka postgres; do
    kubectl kustomize "$part" | kubectl apply --server-side --selector=referral.example/renewed --filename=-
done
