"""The leaf of an audit entry: exact bytes ↔ struct, as an Avro single-object encoding, so that a later version is told apart.

https://avro.apache.org/docs/1.11.1/specification/#single-object-encoding
"""

from __future__ import annotations

from referral.domain.events import Leaf
from referral.errors import Malformed, NewerVersion
from referral.wire import codec
from referral.wire.compiled import leaf

MARK = b"\xc3\x01"
READ = {
    MARK + codec.fingerprint(f"leaf.v{n}").to_bytes(8, "little", signed=True): read for n, read in ((1, leaf.read_v1), (2, leaf.read_v2))
}
"""The first bytes of each version → its reader. Leaves of every version stand in one tree for ever."""
HEAD = MARK + codec.fingerprint("leaf.v2").to_bytes(8, "little", signed=True)


def encode(said: Leaf) -> bytes:
    """The bytes that are hashed. ValueError: a value that no reader would take."""
    return HEAD + codec.encode(said)


def decode(data: bytes) -> Leaf:
    """Malformed("leaf"): no such bytes, or not the only ones that say this. NewerVersion: a program newer than this wrote them."""
    read = READ.get(data[: len(HEAD)])
    if read is None:
        if data.startswith(MARK) and len(data) > len(HEAD):
            raise NewerVersion("the leaf has a schema that this program does not know")
        raise Malformed("leaf", "it does not begin as one")
    try:
        said, end = read(data, len(HEAD))
    except (ValueError, IndexError, KeyError) as error:
        raise Malformed("leaf", codec.reason(error)) from None
    if end != len(data):
        raise Malformed("leaf", "bytes are missing or left over")
    return said
