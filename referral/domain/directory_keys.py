"""The keys with which an agency signs what it sends, as its file lists them: `name+id+base64(1 and public key)` (C2SP signed-note).

Activating a bundle registers, rotates and revokes them: the bundle's exact bytes stand in the log.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from binascii import Error

from referral.domain.directory import Signing, SigningKey
from referral.domain.language import Node

ED25519 = b"\x01"
KEYS = 8
"""Keys that an agency may have at once (ours): two systems, each changing its key, and as many again."""


def read_signing(node: Node, agency: str) -> Signing:
    """`signing: {must: true, keys: [...]}`; what is wrong is noted in the reader."""
    if not node.there():
        return Signing()
    fields = node.fields(("keys",), ("must",))
    found: list[SigningKey] = []
    for item in fields["keys"].each():
        key = signing_key(word := item.word(what="key"))
        if key is None:
            item.error("a key is name+id+base64, as `referral agency key` prints it")
        elif word.partition("+")[0] != agency:
            item.error(f"a key of {agency} has the name {agency}")
        elif any(key.id == other.id for other in found):
            item.error(f"key {key.id} stands here twice")
        else:
            found.append(key)
    if fields["keys"].is_list() and len(fields["keys"].each()) > KEYS:
        fields["keys"].error(f"an agency has at most {KEYS} keys at once")
    if (must := fields["must"].yes()) and not found:
        fields["must"].error("who must sign needs a key")
    return Signing(must=must, keys=tuple(found))


def signing_key(word: str) -> SigningKey | None:
    """A key in its one written form; None for everything else, also for a key of another kind."""
    name, _, rest = word.partition("+")
    try:
        data = b64decode(rest.partition("+")[2], validate=True)
    except (Error, ValueError):
        return None
    if len(data) != 33 or data[:1] != ED25519 or not name:
        return None
    digits = hashlib.sha256(f"{name}\n".encode() + data).hexdigest()[:8]
    if word != f"{name}+{digits}+{b64encode(data).decode()}":
        return None
    return SigningKey(id=f"{name}+{digits}", public=data[1:])
