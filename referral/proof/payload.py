"""What stands beside the tree: key, value and headers of each entry, in files of 256 that follow the numbering of the entry bundles."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import DecodeError, Struct, msgpack

from referral.errors import Malformed
from referral.proof.entry import Entry, Headers, beside, rest
from referral.proof.tile_path import Tile
from referral.wire import leaf as wire


class Payload(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Of one record, exactly as it was read."""

    key: bytes | None
    value: bytes
    headers: Headers

    def __repr__(self) -> str:
        return f"Payload({len(self.value)} bytes)"


Kept = Payload | None
"""None: it is no longer there, as in an erased case."""
_DECODER = msgpack.Decoder(list[Kept])


def path(bundle: Tile) -> str:
    """Where the payloads of a bundle's entries stand."""
    return "payload/" + bundle.path.removeprefix("tile/entries/")


def pack(payloads: Sequence[Kept]) -> bytes:
    """The file (msgpack)."""
    return msgpack.encode(payloads)


def unpack(bundle: Tile, data: bytes) -> list[Kept]:
    """As many as the bundle is wide. Malformed."""
    try:
        found = _DECODER.decode(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise Malformed("payload", f"{path(bundle)}: {error}") from None
    if len(found) != bundle.width:
        raise Malformed("payload", f"{path(bundle)} has {len(found)} payloads instead of {bundle.width}")
    return found


class Joined(Struct, frozen=True):
    """An entry with what stands beside it. here: its payload is there. fits: key and headers are the logged ones."""

    entry: Entry
    here: bool
    fits: bool


def join(idx: int, leaf: bytes, kept: Kept) -> Joined:
    """Malformed, NewerVersion: the leaf."""
    said = wire.decode(leaf)
    if kept is None:
        return Joined(beside(idx, said, None, b"", ()), False, True)
    entry = beside(idx, said, kept.key, kept.value, kept.headers)
    return Joined(entry, True, rest(kept.key, kept.headers) == said.rest)
