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

BUCKETS = 128
"""Number of spool files (ours). For a log of a million entries each holds some 8 MB, which each process loads at a time, and twice that in
memory; a process may have 256 files open on every system."""
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
        self._files[number].write(framed(_ENCODER.encode(entry)))

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
    for data in _stored(folder / str(number)):
        entry = _DECODER.decode(data)
        found.setdefault(entry.case_id, []).append(entry)
    for entries in found.values():
        entries.sort(key=lambda entry: entry.idx)  # older ones may have been read after newer ones
    return found


def entries_of(folder: Path, wanted: set[str]) -> Iterator[Entry]:
    """Yield the entries of some cases, in the order of the log."""
    buckets = {bucket(case_id) for case_id in wanted}
    yield from sorted((e for n in buckets for c, es in cases(folder, n).items() if c in wanted for e in es), key=lambda e: e.idx)


def put_decided(folder: Path, number: int, decided: Iterable[Decided]) -> None:
    """Write what the decisions of one bucket were made upon, in the order of the sweep. Replaces what was written before."""
    with (folder / f"decided-{number}").open("wb") as file:
        file.writelines(framed(_ENCODER.encode(one)) for one in sorted(decided, key=Decided.order))


def every_decided(folder: Path) -> Iterator[Decided]:
    """Yield what all decisions were made upon, in the order of the sweep. Memory: one record of each bucket."""
    places = (folder / f"decided-{number}" for number in range(BUCKETS))
    yield from heapq.merge(*(map(_DECIDED.decode, _stored(place)) for place in places), key=Decided.order)


def put_results(folder: Path, number: int, results: Iterable[bytes]) -> None:
    """Write the results of the cases of one bucket. Replaces what was written before."""
    with (folder / f"results-{number}").open("wb") as file:
        file.writelines(map(framed, results))


def every_result(folder: Path) -> Iterator[bytes]:
    """Yield the results of all cases."""
    for number in range(BUCKETS):
        yield from _stored(folder / f"results-{number}")


def _stored(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from frames(file, 0, path.stat().st_size)


def frames(file: BinaryIO, at: int, end: int) -> Iterator[bytes]:
    """Yield the records of a file between two positions."""
    file.seek(at)
    while at < end:
        size = int.from_bytes(file.read(LENGTH), "big")
        yield file.read(size)
        at += LENGTH + size


def framed(data: bytes) -> bytes:
    """Return a record after its length."""
    return len(data).to_bytes(LENGTH, "big") + data
