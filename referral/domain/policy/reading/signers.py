"""Read `signers.yaml`: the signers of the bundles that follow, where a policy changes them."""

from __future__ import annotations

from collections.abc import Mapping

from referral.domain.policy.reading.reader import Reader
from referral.domain.signers import NAME, NEEDED, public_key

FILE = "signers.yaml"


def read_signers(reader: Reader) -> Mapping[str, bytes]:
    """Return name → public key of the signers that the policy names; empty where it has no such file: those of before remain."""
    if FILE not in reader.files:
        return {}
    root, found = reader.open(FILE), dict[str, bytes]()
    for name, item in root.fields(("signers",))["signers"].items():
        public = public_key(item.word(what="key"))
        if not NAME.fullmatch(name):
            item.key_error("a signer is an office in one word: a to z, digits and hyphens")
        elif public is None:
            item.error("a key is the base64 of 32 bytes, as `referral policy key` prints it")
        elif public in found.values():
            item.error("another signer has this key: two signers are two offices, each with a key of its own")
        else:
            found[name] = public
    if len(found) < NEEDED:
        root.error(f"name at least {NEEDED} signers; a third, in reserve, lets the others replace a lost key")
    return found
