"""Read a log from an exported folder or from audit's database, through the same paths.

Beside the tree, payload files hold the key, value and headers of each entry: 256 entries per file, numbered as the entry bundles are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec import DecodeError, Struct, msgpack

from referral.errors import Malformed, NewerVersion, Unproven
from referral.proof.entry import Entry, Headers, Kind, beside, rest
from referral.tlog import checkpoint, merkle, note, strict_text, tile_layout, tiles, witness_policy
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.integrity import Differs
from referral.tlog.merkle import HASH, Nodes
from referral.tlog.tile_layout import ENTRIES, FULL, Tile
from referral.tlog.witness_policy import Accepted
from referral.wire import leaf as wire

CHECKPOINT, POLICY, KEYS, HEAD = "checkpoint", "witness.policy", "keys", "head"
"""Files beside the tiles. HEAD (size and root, as in a checkpoint) exists only for a live log; an export ends at its checkpoint."""
_PLAIN = re.compile(r"[a-z0-9.-]+")


class Archive(Protocol):
    """A source of log files. read: the bytes at a path of tlog-tiles, of payloads, or of a file above; None where nothing is stored.

    A database serves more paths: `columns/…` beside each bundle holds its search columns (msgpack), and `case_id/…` and `event_id/…` hold
    the indexes that it finds. The verification trusts none of these.
    """

    def read(self, path: str) -> bytes | None: ...


class Trusted(Struct, frozen=True):
    """An accepted checkpoint with its bytes. pinned: accepted under a policy that the auditor supplied, not under the log's own."""

    signed: bytes
    accepted: Accepted
    pinned: bool

    @property
    def size(self) -> int:
        return self.accepted.checkpoint.size

    @property
    def root(self) -> bytes:
        return self.accepted.checkpoint.root


def trusted(archive: Archive, pinned: bytes | None) -> Trusted | None:
    """Return the archive's checkpoint, accepted under a policy; None where it has none. Malformed, Unproven."""
    signed = archive.read(CHECKPOINT)
    if signed is None:
        return None
    accepted = witness_policy.accept(witness_policy.parse(rules(archive, pinned)), note.parse(signed))
    return Trusted(signed, accepted, pinned is not None)


def rules(archive: Archive, pinned: bytes | None) -> bytes:
    """Return the policy file that the auditor supplied, else the archive's own. Unproven: neither exists."""
    policy = archive.read(POLICY) if pinned is None else pinned
    if policy is None:
        raise Unproven("policy", "no policy file says whose signatures are wanted")
    return policy


def accepted(signed: bytes, rules: bytes) -> Checkpoint:
    """Return another checkpoint, accepted under a policy file. Malformed, Unproven."""
    return witness_policy.accept(witness_policy.parse(rules), note.parse(signed)).checkpoint


def head(archive: Archive, published: Trusted | None) -> tuple[int, bytes]:
    """Return size and root of everything that the archive stores. Malformed."""
    data = archive.read(HEAD)
    if data is None:
        return (published.size, published.root) if published else (0, merkle.EMPTY)
    size, root = strict_text.lines(data, "head")
    return strict_text.decimal(size, "head", "the size"), strict_text.unbase64(root, "head", "the root", HASH)


def claimed(archive: Archive) -> int:
    """Return the number of entries that an archive claims, for use where its checkpoint is not accepted; 0 where it claims none."""
    try:
        if archive.read(HEAD) is not None:
            return head(archive, None)[0]
        return checkpoint.parse(note.parse(archive.read(CHECKPOINT) or b"").text).size
    except Malformed:
        return 0


def reader(archive: Archive, size: int) -> Callable[[Tile], bytes]:
    """Return a function that reads tiles of any size up to `size`, as prefixes of the stored tiles.

    size: the size at which the archive stores its tiles. The function raises Malformed, and Differs where a tile is missing.
    """

    def read(tile: Tile) -> bytes:
        stored = tile_layout.at(tile.level, tile.number, size)
        data = archive.read(stored.path)
        if data is None:
            raise Differs("tile", f"{stored} is missing", stored.leaves[0])
        return tile_layout.sized(stored, data)[: tile.width * HASH]

    return read


def nodes(archive: Archive, size: int) -> Nodes:
    """Return the nodes of the archive's tree. Each tile is read once and cached."""
    held: dict[Tile, bytes] = {}
    read = reader(archive, size)

    def keep(tile: Tile) -> bytes:
        if tile not in held:
            held[tile] = read(tile)
        return held[tile]

    return tiles.nodes(keep, size)


def edge(archive: Archive, old: int, size: int) -> tiles.Edge:
    """Return the right edge at an older size, from the tiles of a log stored at `size`. Malformed, Differs."""
    read = reader(archive, size)
    return tiles.edge(old, {tile: read(tile) for tile in tile_layout.partial(old)})


def bundle(archive: Archive, number: int, size: int) -> list[bytes]:
    """Return the leaves of an entry bundle. Malformed; Differs: it is missing."""
    tile = tile_layout.at(ENTRIES, number, size)
    data = archive.read(tile.path)
    if data is None:
        raise Differs("bundle", f"{tile} is missing", tile.leaves[0])
    return tiles.unpack(tile, data)


def payloads(archive: Archive, number: int, size: int) -> list[Kept]:
    """Return the payloads of an entry bundle, all of them None where the payload file does not exist. Malformed."""
    tile = tile_layout.at(ENTRIES, number, size)
    data = archive.read(path(tile))
    return [None] * tile.width if data is None else unpack(tile, data)


def joined(archive: Archive, size: int, indexes: Iterator[int] | list[int]) -> Iterator[Joined]:
    """Yield entries by index, in rising order; each bundle is read once. Malformed, NewerVersion."""
    at, leaves, beside = -1, list[bytes](), list[Kept]()
    for index in indexes:
        if index // FULL != at:
            at = index // FULL
            leaves, beside = bundle(archive, at, size), payloads(archive, at, size)
        yield join(index, leaves[index % FULL], beside[index % FULL])


def find(archive: Archive, size: int, column: str, word: str) -> list[int]:
    """Return the indexes of the entries of a case (`case_id`), an event (`event_id`) or a kind (`kind`: KEYS).

    A database answers from its index (not trusted). Any other archive is searched leaf by leaf. Malformed.
    """
    indexed = archive.read(f"{column}/{word}")
    if indexed is not None:
        try:
            return [index for index in msgpack.decode(indexed, type=list[int]) if index < size]
        except DecodeError as error:
            raise Malformed(column, str(error)) from None
    indexes = []
    for number in range(-(-size // FULL)):
        for place, leaf in enumerate(bundle(archive, number, size)):
            if (column == "kind" or word.encode() in leaf) and _says(leaf, column) == word:
                indexes.append(number * FULL + place)
    return indexes


def export_path(entry: Entry) -> str:
    """Return the path of the export file that repeats the content of this entry; "" where no file does."""
    if entry.kind is Kind.KEYS:
        return POLICY
    if entry.kind is Kind.SCHEMA and _PLAIN.fullmatch(entry.type):
        return f"schemas/{entry.type}.{entry.fingerprint & (1 << 64) - 1:016x}.avsc"
    return ""


def _says(leaf: bytes, column: str) -> str:
    try:
        value: str | None = getattr(wire.decode(leaf), column)
    except (Malformed, NewerVersion):
        return ""
    return value or ""


class Payload(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The key, value and headers of one record, exactly as it was read from Kafka."""

    key: bytes | None
    value: bytes
    headers: Headers

    def __repr__(self) -> str:
        return f"Payload({len(self.value)} bytes)"


Kept = Payload | None
"""The payload of an entry; None where it is no longer stored, as in an erased case."""
_DECODER = msgpack.Decoder(list[Kept])


def path(bundle: Tile) -> str:
    """Return the path of the payload file of an entry bundle."""
    return "payload/" + bundle.path.removeprefix("tile/entries/")


def pack(payloads: Sequence[Kept]) -> bytes:
    """Encode a payload file (msgpack)."""
    return msgpack.encode(payloads)


def unpack(bundle: Tile, data: bytes) -> list[Kept]:
    """Decode a payload file, with as many payloads as the bundle has entries. Malformed."""
    try:
        decoded = _DECODER.decode(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise Malformed("payload", f"{path(bundle)}: {error}") from None
    if len(decoded) != bundle.width:
        raise Malformed("payload", f"{path(bundle)} has {len(decoded)} payloads instead of {bundle.width}")
    return decoded


class Joined(Struct, frozen=True):
    """An entry with its payload. here: the payload is stored. fits: its key and headers are the logged ones."""

    entry: Entry
    here: bool
    fits: bool


def join(idx: int, leaf: bytes, kept: Kept) -> Joined:
    """Join a leaf with its payload. Malformed, NewerVersion: the leaf cannot be read."""
    decoded = wire.decode(leaf)
    if kept is None:
        return Joined(beside(idx, decoded, None, b"", ()), False, True)
    entry = beside(idx, decoded, kept.key, kept.value, kept.headers)
    return Joined(entry, True, rest(kept.key, kept.headers) == decoded.rest)
