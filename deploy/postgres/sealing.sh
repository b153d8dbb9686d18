# shellcheck shell=bash
# Encrypt what is written, so that two operators can read it and this machine cannot. archive.sh and backup.sh source it, and have `folder`.
# RECIPIENTS names a file with a line age1... of each operator: public keys alone (docs/operators.md, Backup and restore).
refuse() { echo "$(basename "$0" .sh): $1" >&2; exit 1; }
recipients() { grep -E '^age1[0-9a-z]+$' "${RECIPIENTS:-/nonexistent}" 2>/dev/null | sort -u; }
command -v age >/dev/null || refuse "nothing was written: there is no program age, which encrypts it: apt-get install age"
[ "$(recipients | wc -l)" -ge 2 ] || # with one, a lost key is the loss of every backup
    refuse "nothing was written: RECIPIENTS (${RECIPIENTS:-not set}) must name a file with the lines age1... of two operators: docs/operators.md, Backup and restore"
plain=$(find "$folder" -type f ! -name '*.age' ! -name '*.age.part' ! -name lock ! -name backup_manifest ! -name backup_label -print -quit)
[ -z "$plain" ] || # of a release before, or of somebody
    refuse "nothing was written: $plain is not encrypted; let BACKUPS name a new folder, and destroy this one when you may: docs/operators.md, Backup and restore"

# Encrypt standard input into a file, which is whole and on the disk, or is not there.
seal() {
    age --encrypt --recipients-file "$RECIPIENTS" --output "$1.part" &&
        sync "$1.part" && mv "$1.part" "$1" && sync "$(dirname "$1")"
}
