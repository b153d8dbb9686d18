"""Keep the entries of a log, and what its decisions were made upon, in temporary files, so that a log of any length is judged in parts."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO
from zlib import crc32

from msgspec import msgpack

from referral.proof.entry import Entry
from referral.proof.verify.facts import Decided

BUCKETS = 64
"""Number of spool files (ours). For a log of a million entries each holds some 10 MB, which each process loads at a time."""
_ENCODER, _DECODER, _DECIDED = msgpack.Encoder(), msgpack.Decoder(Entry), msgpack.Decoder(Decided)
LENGTH = 4
"""Bytes before each record that give its length."""


class Spool:
    """Temporary files of entries by bucket, written in the order of the log. Leaving the context removes them."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="referral-audit-")
        self.folder = Path(self._folder.name)
        self._files: dict[int, BinaryIO] = {}

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
        self._folder.cleanup()

    def put(self, entry: Entry) -> None:
        number = bucket(entry.case_id)
        if number not in self._files:
            self._files[number] = (self.folder / str(number)).open("wb")
        self._files[number].write(_framed(entry))

    def close(self) -> None:
        """Close the files after the last entry, so that other processes can read them."""
        for file in self._files.values():
            file.close()


def bucket(case_id: str) -> int:
    """Return the bucket of a case."""
    return crc32(case_id.encode()) % BUCKETS


def cases(folder: Path, number: int) -> dict[str, list[Entry]]:
    """Return the cases of one bucket, each with its entries in the order of the log."""
    found: dict[str, list[Entry]] = {}
    path, at = folder / str(number), 0
    data = path.read_bytes() if path.exists() else b""
    while at < len(data):
        end = at + LENGTH + int.from_bytes(data[at : at + LENGTH], "big")
        entry = _DECODER.decode(data[at + LENGTH : end])
        found.setdefault(entry.case_id, []).append(entry)
        at = end
    return found


def entries_of(folder: Path, wanted: set[str]) -> Iterator[Entry]:
    """Yield the entries of some cases, in the order of the log."""
    buckets = {bucket(case_id) for case_id in wanted}
    yield from sorted((e for n in buckets for c, es in cases(folder, n).items() if c in wanted for e in es), key=lambda e: e.idx)


def put_decided(folder: Path, number: int, decided: Iterable[Decided]) -> None:
    """Write what the decisions of one bucket were made upon, in the order of the sweep. Replaces what was written before."""
    with (folder / f"decided-{number}").open("wb") as file:
        file.writelines(map(_framed, sorted(decided, key=Decided.order)))


def every_decided(folder: Path) -> Iterator[Decided]:
    """Yield what all decisions were made upon, in the order of the sweep. Memory: one record of each bucket."""
    yield from heapq.merge(*(_decided(folder / f"decided-{number}") for number in range(BUCKETS)), key=Decided.order)


def _decided(path: Path) -> Iterator[Decided]:
    with path.open("rb") as file:
        while size := file.read(LENGTH):
            yield _DECIDED.decode(file.read(int.from_bytes(size, "big")))


def _framed(record: Entry | Decided) -> bytes:
    data = _ENCODER.encode(record)
    return len(data).to_bytes(LENGTH, "big") + data
