"""A log with its tiles, keys, witnesses and policy, all from fixed seeds: what the tests of the log's formats have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from referral.tlog import merkle, note, tile_layout, tiles
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from referral.tlog.note_keys import COSIGNATURE, ED25519, SignerKey
from referral.tlog.proof_file import TlogProof
from referral.tlog.tile_layout import Tile

ORIGIN = "log.example/referrals"
LOG = SignerKey(ORIGIN, ED25519, bytes([1]) * 32)
WITNESSES = tuple(SignerKey(f"witness.example/{name}", COSIGNATURE, bytes([seed]) * 32) for seed, name in enumerate("abc", 2))
NOW = 1_800_000_000


def policy(quorum: str = "all", witnesses: Sequence[SignerKey] = WITNESSES) -> bytes:
    """A policy file. quorum: all, any or how many of the witnesses."""
    keys = [f"witness w{n} {key.verifier.encode().decode()} https://w{n}.example/" for n, key in enumerate(witnesses, 1)]
    names = " ".join(f"w{n}" for n in range(1, len(witnesses) + 1))
    text = [f"log {LOG.verifier.encode().decode()}", *keys, f"group seen {quorum} {names}", "quorum seen"]
    return "".join(f"{line}\n" for line in text).encode()


class Log:
    """Entries are there when it is made; any smaller size of it can be asked for too."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = entries
        self.leaves = [merkle.leaf_hash(entry) for entry in entries]
        self.edge, full = tiles.append(tiles.Edge(), self.leaves)
        self.tiles: dict[Tile, bytes] = full | self.edge.tiles
        self.nodes = tiles.nodes(self.tiles.__getitem__, len(entries))

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = len(self.entries) if size is None else size
        return Checkpoint(ORIGIN, size, merkle.root(self.nodes, size))

    def signed(self, size: int | None = None, witnesses: Sequence[SignerKey] = WITNESSES) -> Note:
        """Its checkpoint with the log's signature and those of witnesses."""
        made = self.checkpoint(size).sign(LOG)
        return Note(made.text, (*made.signatures, *(note.sign(made.text, key, NOW) for key in witnesses)))

    def proof(self, index: int, size: int | None = None, witnesses: Sequence[SignerKey] = WITNESSES) -> TlogProof:
        signed = self.signed(size, witnesses)
        hashes = merkle.inclusion(self.nodes, index, len(self.entries) if size is None else size)
        return TlogProof(index, tuple(hashes), signed.encode())

    def stored(self) -> dict[Tile, bytes]:
        """Its tiles and entry bundles."""
        size = len(self.entries)
        return self.tiles | {tile: tiles.pack(self.entries[slice(*tile.leaves)]) for tile in tile_layout.bundles(size)}

    def write(self, folder: Path, witnesses: Sequence[SignerKey] = WITNESSES) -> None:
        """As files, in the layout that any reader of tlog-tiles knows."""
        folder.mkdir()
        for tile, data in self.stored().items():
            path = folder / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (folder / "checkpoint").write_bytes(self.signed(witnesses=witnesses).encode())


def made(count: int, word: str = "entry") -> Log:
    """A log of so many short entries, each another one."""
    return Log([f"{word} {number}".encode() for number in range(count)])
