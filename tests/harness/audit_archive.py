"""The database of audit as the auditor's commands see it, held in memory, and exports of it. Keys are those of tests.harness.made_log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import msgpack

from referral.cli.audit.export import Export, write
from referral.proof import archive
from referral.proof.archive import Kept, Payload
from referral.proof.entry import Entry, Kind, leaf
from referral.proof.scan import COLUMNS
from referral.tlog import strict_text, tile_layout, tiles
from referral.tlog.merkle import HASH
from referral.tlog.tile_layout import ENTRIES, FULL, Tile
from tests.harness import made_log
from tests.harness.audit_log import Log, story
from tests.harness.made_log import WITNESSES

AUDITOR = X25519PrivateKey.from_private_bytes(bytes([7]) * 32)


class Rows:
    """Answers as `live_log` does. published: size of the newest checkpoint. change: what somebody did to an entry's row."""

    def __init__(self, entries: Sequence[Entry], published: int | None = None) -> None:
        self.entries = list(entries)
        self.leaves = [leaf(entry) for entry in entries]
        self.payloads: list[Kept] = [Payload(entry.key, entry.value, entry.headers) for entry in entries]
        self.columns = [[getattr(entry, name) for name in COLUMNS] for entry in entries]
        self.tree = made_log.Log(self.leaves)
        self.published = len(entries) if published is None else published
        self.policy = next((e.value for e in reversed(entries) if e.kind is Kind.KEYS), made_log.policy())
        self.witnesses = WITNESSES

    def read(self, path: str) -> bytes | None:
        first, _, word = path.partition("/")
        match first:
            case archive.CHECKPOINT:
                return self.tree.signed(self.published, self.witnesses).encode()
            case archive.POLICY:
                return self.policy
            case archive.HEAD:
                return b"%d\n%s\n" % (len(self.leaves), strict_text.base64(self.tree.checkpoint().root))
            case "case_id" | "event_id":
                return msgpack.encode([n for n, row in enumerate(self.columns) if row[COLUMNS.index(first)] == word])
            case "payload" | "columns":
                here = slice(*tile_layout.parse(f"tile/entries/{word}".encode()).leaves)
                return archive.pack(self.payloads[here]) if first == "payload" else msgpack.encode(self.columns[here])
            case "tile":
                tile = tile_layout.parse(path.encode())
                return tiles.pack(self.leaves[slice(*tile.leaves)]) if tile.level == ENTRIES else self._hashes(tile)
        return None

    def _hashes(self, tile: Tile) -> bytes | None:
        stored = self.tree.tiles.get(tile_layout.at(tile.level, tile.number, len(self.leaves)))
        return None if stored is None else stored[: tile.width * HASH]


def long_log(stories: int = 20) -> Log:
    """More entries than a bundle holds."""
    log = Log()
    for number in range(stories):
        story(log, f"case {number}")
    assert len(log.entries) > FULL
    return log


def exported(folder: Path, there: Rows, keys: Mapping[str, bytes], tell: Callable[[], None] = lambda: None) -> Path:
    """An export with these keys lent to AUDITOR."""
    published = archive.trusted(there, None)
    assert published is not None
    write(Export(folder=folder, there=there, published=published, policy=there.policy, keys=keys, auditor=AUDITOR.public_key()), tell)
    return folder


def auditor_key(folder: Path) -> Path:
    """AUDITOR's secret key as a file."""
    path = folder / "auditor.key"
    path.write_bytes(AUDITOR.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
