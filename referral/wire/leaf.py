"""Encode and decode the leaf of an audit entry: exact bytes ↔ struct, in Avro's single-object encoding, which identifies the version.

https://avro.apache.org/docs/1.11.1/specification/#single-object-encoding
"""

from __future__ import annotations

from referral.domain.events import Leaf
from referral.errors import Malformed, NewerVersion
from referral.wire import codec
from referral.wire.compiled import shared

MARK = b"\xc3\x01"
READ = {
    MARK + codec.fingerprint(f"leaf.v{n}").to_bytes(8, "little", signed=True): read
    for n, read in ((1, shared.read_leaf_v1), (2, shared.read_leaf_v2), (3, shared.read_leaf_v3))
}
"""First bytes of each version → its reader. One tree contains leaves of all versions, so no reader may be removed."""
HEAD = MARK + codec.fingerprint("leaf.v3").to_bytes(8, "little", signed=True)


def encode(value: Leaf) -> bytes:
    """Return the bytes that the tree hashes. ValueError: a value that no reader would accept."""
    return HEAD + codec.encode(value)


def decode(data: bytes) -> Leaf:
    """Return the leaf in these bytes.

    Malformed("leaf"): they are no leaf, or not its canonical encoding. NewerVersion: a newer program wrote them.
    """
    read = READ.get(data[: len(HEAD)])
    if read is None:
        if data.startswith(MARK) and len(data) > len(HEAD):
            raise NewerVersion("the leaf has a schema that this program does not know")
        raise Malformed("leaf", "it does not begin with the mark of a leaf")
    try:
        value, end = read(data, len(HEAD))
    except (ValueError, IndexError, KeyError) as error:
        raise Malformed("leaf", codec.reason(error)) from None
    if end != len(data):
        raise Malformed("leaf", "bytes are missing or left over")
    return value
