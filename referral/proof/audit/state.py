"""The state that an auditor keeps beside a checkpoint, and how the next verification goes on from it (docs/decisions/0092).

A state is one file: a line that names its form, records of MessagePack (the header, one for each case, an empty one, then what every
decision was made upon), and the SHA-256 of all before it. It is the auditor's own, and believed as their checkpoint is. It is bound to
that checkpoint, to the auditor's policy file and to the verifier itself. Whatever does not fit leads to a verification of the whole log.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Hashable, Iterable, Iterator, Mapping, Set
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from msgspec import msgpack

import referral
from referral.errors import Malformed, NewerVersion
from referral.proof.archive import Archive
from referral.proof.audit import frozen
from referral.proof.audit.spool import Spool, every_decided, every_result, framed, frames
from referral.proof.entry import Entry, digest
from referral.proof.forgeries import TORN
from referral.proof.scan import picked
from referral.proof.verify.facts import Decided
from referral.proof.verify.kept import Header, Lasting, decoded, encoded, fingerprint
from referral.proof.verify.log import Cases, Verification
from referral.proof.verify.report import Report
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.tiles import Edge

FORM = b"referral verify state 1\n"
SHA256 = 32
MINE = ("domain", "proof", "wire", "tlog", "cli/audit")
"""Folders of this program whose code decides what a verification finds."""
_DECIDED = msgpack.Decoder(Decided)


class Whole(Exception):
    """The state cannot be used: the whole log is verified. The text says why, in words for the auditor."""


@cache
def program() -> bytes:
    """Return the SHA-256 of this program's own files: another one may find other things."""
    root, found = Path(referral.__path__[0]), hashlib.sha256()
    for folder in MINE:
        for path in sorted((root / folder).rglob("*.py")):
            found.update(f"{path.relative_to(root)}\n".encode() + digest(path.read_bytes()))
    return found.digest()


def policy(pinned: bytes | None) -> bytes:
    """Return what tells one policy file of the auditor from another; empty: there is none."""
    return b"" if pinned is None else digest(pinned)


class State:
    """A state in its file, and the log that goes on from it. A context.

    edge: of the tree at the older checkpoint. size: number of entries that the log has now.
    """

    def __init__(self, path: Path, there: Archive, edge: Edge, size: int) -> None:
        self._file: BinaryIO = path.open("rb")
        self._there, self._edge, self._size = there, edge, size
        self._redone: set[str] = set()
        """Cases whose result is not taken from here."""
        self._touched: set[str] = set()
        """Cases with a new entry."""
        self._once: dict[Hashable, str] = {}
        try:
            self.head = self._opened()
        except Whole:
            self._file.close()
            raise

    def __enter__(self) -> State:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def _opened(self) -> Header:
        """Check the digest, and return the header. Whole."""
        found, self._end = hashlib.sha256(), self._file.seek(0, 2) - SHA256
        self._file.seek(0)
        left = self._end
        while left > 0 and (data := self._file.read(min(1 << 20, left))):
            found.update(data)
            left -= len(data)
        self._file.seek(max(self._end, 0))
        if self._file.read() != found.digest():
            raise Whole("its file is damaged, or is no state")
        self._file.seek(0)
        if self._file.read(len(FORM)) != FORM:
            raise Whole("its file is of another form")
        try:
            return decoded(next(self._frames(), b""), Header)
        except Malformed as error:
            raise Whole(f"it cannot be read: {error}") from None

    def bound(self, older: Checkpoint, pinned: bytes | None, seen: int | None) -> None:
        """Check that the state may be used. older: the checkpoint beside it. seen: as `Header.seen`, of the newer one. Whole."""
        head = self.head
        if (head.size, head.root) != (older.size, older.root):
            raise Whole("it was kept for another checkpoint")
        if head.policy != policy(pinned):
            raise Whole("your policy file has changed since it was kept")
        if head.program != program():
            raise Whole("another version of this program kept it")
        if (head.seen is None) != (seen is None) or (seen or 0) < (head.seen or 0):
            raise Whole("the witnesses signed the newer checkpoint before the older one")

    def resume(self, proof: Verification, repeated: dict[str, Entry]) -> None:
        """Set the first pass as it was. Whole."""
        repeated.update(self.head.repeated)
        try:
            proof.resume(self.head.first)
        except (Malformed, KeyError) as error:
            raise Whole(f"it cannot be read: {error}") from None
        self._unwritten = dict(proof.unwritten)

    def look(self, entry: Entry) -> None:
        """Look at the next new entry. Whole: what was judged before may be another now."""
        if entry.kind in TORN or entry.case_id in self.head.torn:
            raise Whole(f"entry {entry.idx} belongs to a case with a fork or a gap, whose older entries are judged anew")
        if entry.case_id:
            self._touched.add(entry.case_id)

    def fetch(self, keys: Mapping[str, bytes], proof: Verification, spool: Spool) -> None:
        """Read the older entries of the cases that are judged again, before the first pass is finished. Whole."""
        if proof.unwritten != self._unwritten:
            raise Whole("a new entry is not signed by its writer, and the older entries of its case are judged anew")
        redo = set(self._touched)
        for case in self._cases():
            if case.key != fingerprint(keys.get(case.case_id)):
                if case.case_id in self.head.torn:
                    raise Whole("the key of a case with a fork or a gap was lent, or taken back, since it was kept")
                redo.add(case.case_id)
            elif case.until <= proof.now:
                redo.add(case.case_id)
        self._fetch(redo, proof, spool)

    def compare(self, known: Cases, proof: Verification, spool: Spool) -> None:
        """Compare what the first pass now says of all cases, and read those of which it says something else. Whole."""
        head = self.head
        if known.drill != head.drill:
            raise Whole("the heartbeats now say otherwise whether this is a line for exercises")
        if frozen.named(known.activated) != head.engines:
            raise Whole("a policy bundle has named other engines since it was kept")
        if known.disowned != head.disowned:
            raise Whole("a service has disowned a record since it was kept")
        changed = (known.broken ^ head.broken) | {case_id for _, case_id, _ in known.lost ^ head.lost}
        self._fetch(changed - self._redone, proof, spool)

    def _fetch(self, redo: Set[str], proof: Verification, spool: Spool) -> None:
        self._redone |= redo
        idxs = sorted(idx for case in self._cases() if case.case_id in redo for idx in case.idxs) if redo else []
        try:
            for joined in picked(self._there, idxs, self._edge, self._size):
                entry = joined.entry
                if not joined.here:
                    proof.without(entry)
                elif not joined.fits or digest(entry.value) != entry.sha256:
                    raise Whole(f"entry {entry.idx} is not what it was any more")
                spool.put(entry)
        except (Malformed, NewerVersion) as error:
            raise Whole(f"an older entry cannot be read any more: {error}") from None

    def _cases(self) -> Iterator[Lasting]:
        """Yield the result of each case."""
        for data in self._raw():
            yield decoded(data, Lasting)

    def reused(self, report: Report) -> None:
        """Add the results of the cases that are not judged again."""
        for case in self._cases():
            if case.case_id not in self._redone:
                report.add(case.report)
                self._once.update(case.once)

    def once(self, signs: Iterable[tuple[Hashable, str]]) -> None:
        """Compare single-use signatures of judged cases with those of the others. Whole."""
        for sign, event in signs:
            if self._once.get(sign, event) != event:
                raise Whole("a signature of a new entry is in an older one too, and both are judged")

    def encoded(self) -> Iterator[bytes]:
        """Yield the records of the cases that are not judged again."""
        for data in self._raw():
            if decoded(data, Lasting).case_id not in self._redone:
                yield data

    def decided(self) -> Iterator[Decided]:
        """Yield what the decisions of those cases were made upon, in the order of the sweep."""
        found = self._frames()
        for data in found:
            if not data:
                break
        for data in found:
            if (one := _DECIDED.decode(data)).case_id not in self._redone:
                yield one

    def merged(self, new: Iterable[Decided]) -> Iterator[Decided]:
        """Yield both those and the new ones, in the order of the sweep."""
        return heapq.merge(self.decided(), new, key=Decided.order)

    def _raw(self) -> Iterator[bytes]:
        found = self._frames()
        next(found)
        for data in found:
            if not data:
                return
            yield data

    def _frames(self) -> Iterator[bytes]:
        return frames(self._file, len(FORM), self._end)


def write(path: Path, header: Header, folder: Path, older: State | None) -> None:
    """Write a state. folder: of the spool, with the results of the cases that were judged. older: the state that has the others."""
    found = hashlib.sha256()
    path.unlink(missing_ok=True)
    path.touch(0o600)
    with path.open("wb") as file:

        def put(data: bytes) -> None:
            found.update(data)
            file.write(data)

        put(FORM)
        put(framed(encoded(header)))
        for case in (*((older.encoded(),) if older else ()), every_result(folder)):
            for data in case:
                put(framed(data))
        put(framed(b""))
        for one in older.merged(every_decided(folder)) if older else every_decided(folder):
            put(framed(msgpack.encode(one)))
        file.write(found.digest())
