"""Keep what was counted, and how far, in the database, so that a start reads only what came since (docs/decisions/0059).

A row a case, its state sealed under the case's own key: an erasure destroys it like everything else of the case. One head, sealed under a
key of oversight, has the positions and the sum of all rows; both are written in one transaction. Whatever does not fit is thrown away, and
everything is read again from the topics: a row that was changed, taken away or set back, other topics, another program.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from msgspec import Struct, field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.rules import telephone
from referral.errors import Malformed, Rejected
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import decode, sequence
from referral.runtime.loop.sequence import Last
from referral.runtime.postgres import bulk
from referral.wire.seal import cipher
from services.oversight import calendar, record_reader
from services.oversight.counting import projection, rules, saved, state
from services.oversight.record_reader import RecordReader

BOX = "oversight-progress"
"""Purpose of the key that seals the head."""
PURPOSE = b"oversight.counted "
NONCE = 12
CHUNK = 2000
"""Rows that are read or written together (ours): a few megabytes."""
MODULES = (calendar, decode, projection, record_reader, rules, saved, sequence, state, telephone)
"""The programs that say what a record does to a figure. A change of one of them, if only of a word, begins again from the topics."""
ROWS = bulk.Table(
    "oversight.counted",
    {"case_id": "text", "seen": "bytea", "state": "bytea"},
    "ON CONFLICT (case_id) DO UPDATE SET seen = excluded.seen, state = excluded.state",
)
_HEAD = text("SELECT number, head FROM oversight.progress")
_BEGIN = text("INSERT INTO oversight.progress (number, head) VALUES (1, :head) ON CONFLICT DO NOTHING")
_STEP = text("UPDATE oversight.progress SET number = number + 1, head = :head WHERE number = :number")
_THESE = text("SELECT case_id, seen, state FROM oversight.counted WHERE case_id = ANY(CAST(:ids AS text[]))")
_NEXT = text("SELECT case_id, seen, state FROM oversight.counted WHERE case_id > :after ORDER BY case_id LIMIT :limit")
_FORGET = text("DELETE FROM oversight.counted")

Stood = tuple[int, int, str]
"""(next offset, offset of the last record, its digest); markers of transactions are between the two."""


class Row(Struct, frozen=True):
    """A row: of one case the last record of each topic and whether it is erased; and its state, sealed."""

    case_id: str
    seen: bytes
    state: bytes | None

    def __repr__(self) -> str:
        return f"Row({self.case_id})"


class Head(Struct, kw_only=True):
    """What is known of all cases together.

    program: digest of MODULES. positions: by topic/partition.
    times: topic/partition → time of its last record, µs UTC. drills, met: hour → records, met by word.
    late: records that came late since release number `released`. key, total, rows: the sum over all rows under a key of its own.
    """

    program: str
    positions: dict[str, Stood] = {}
    times: dict[str, int] = {}
    drills: dict[int, int] = {}
    met: dict[str, dict[int, int]] = {}
    late: int = 0
    released: int = 0
    key: bytes = field(default_factory=lambda: os.urandom(32))
    total: bytes = bytes(32)
    rows: int = 0

    def __repr__(self) -> str:
        return "Head()"

    def swap(self, old: Iterable[Row], new: Iterable[Row]) -> None:
        """Replace rows in the sum. Who has not the key can find no other rows with the same sum."""
        total = int.from_bytes(self.total)
        for sign, rows in ((-1, old), (1, new)):
            for row in rows:
                data = msgspec.msgpack.encode((row.case_id, row.seen, row.state))
                total += sign * int.from_bytes(blake2b(data, key=self.key).digest()[:32])
                self.rows += sign
        self.total = (total % (1 << 256)).to_bytes(32)


@cache
def program() -> str:
    """Return the digest of the programs that count."""
    return blake2b(b"".join(Path(str(module.__file__)).read_bytes() for module in MODULES), digest_size=16).hexdigest()


class Progress:
    """What is stored of a reading. head: as the database has it; only one process may write."""

    def __init__(self, engine: AsyncEngine, keys: Keys, reading: RecordReader) -> None:
        self._engine, self._keys, self._reading = engine, keys, reading
        self._box = keys.box(BOX)
        self._number, self._anew, self.head = 0, False, Head(program=program())

    async def positions(self) -> dict[str, Stood]:
        """Return how far the stored progress has read; empty if there is none of this program."""
        async with self._engine.connect() as tx:
            row = (await tx.execute(_HEAD)).one_or_none()
        if row is None:
            return {}
        self._number = row.number
        try:
            head = msgspec.msgpack.decode(self._box.open(row.head), type=Head)
        except (Malformed, msgspec.DecodeError):
            return {}
        if head.program != program():
            return {}
        self.head = head
        return head.positions

    async def load(self) -> bool:
        """Take up what is stored. False: a row is not as it was written, and nothing was taken up."""
        found = Head(program="", key=self.head.key)
        after = ""
        while True:
            async with self._engine.connect() as tx:
                rows = [Row(*row) for row in await tx.execute(_NEXT, {"after": after, "limit": CHUNK})]
                keys = await self._keys.load(tx, [row.case_id for row in rows if row.state is not None])
            if not rows:
                break
            after = rows[-1].case_id
            found.swap((), rows)
            if not self._taken(rows, keys):
                return False
        if (found.total, found.rows) != (self.head.total, self.head.rows):
            self._reading.reset()
            return False
        self._reading.load_all(self.head.times, self.head.drills, self.head.met)
        return True

    def _taken(self, rows: Iterable[Row], keys: Mapping[str, bytes]) -> bool:
        try:
            for row in rows:
                self._reading.load(row.case_id, *opened(row, keys))
        except (InvalidTag, msgspec.DecodeError):
            self._reading.reset()
            return False
        return True

    def forget(self) -> bool:
        """Begin anew: the first saving throws away what is stored. Return whether there is anything."""
        self._anew, self.head = True, Head(program=program())
        return self._number > 0

    async def save(self, positions: Mapping[str, Stood], released: int) -> None:
        """Store what changed since the last time, with the positions. Nothing may be read meanwhile.

        Rejected: another process has stored its own.
        """
        head = msgspec.structs.replace(self.head, positions=dict(positions), released=released, late=self._reading.late())
        head.times, head.drills, head.met = self._reading.dump_all()
        async with self._engine.begin() as tx:
            if self._anew:
                await tx.execute(_FORGET)
            changed = sorted(self._reading.changed)
            for ids in (changed[at : at + CHUNK] for at in range(0, len(changed), CHUNK)):
                old = [Row(*row) for row in await tx.execute(_THESE, {"ids": ids})]
                new = sealed(self._reading, ids, await self._keys.load(tx, ids))
                head.swap(old, new)
                await bulk.write(tx, {ROWS: [msgspec.structs.asdict(row) for row in new]})
            data = self._box.seal(msgspec.msgpack.encode(head))
            if not await self._step(tx, data):
                raise Rejected("progress", str(self._number), "another process stored what it counted: run only one oversight")
        self._number, self._anew, self.head = self._number + 1, False, head
        self._reading.changed.clear()

    async def stands(self) -> None:
        """Check that what is stored is this process's own. Rejected: another one has stored its own, or `recover` has thrown it away."""
        async with self._engine.connect() as tx:
            row = (await tx.execute(_HEAD)).one_or_none()
        if (row.number if row is not None else 0) != self._number:
            raise Rejected("progress", str(self._number), "what was counted is not the newest any more: oversight starts again")

    async def _step(self, tx: AsyncConnection, head: bytes) -> bool:
        statement, values = (_STEP, {"head": head, "number": self._number}) if self._number else (_BEGIN, {"head": head})
        return bool((await tx.execute(statement, values)).rowcount)


def sealed(reading: RecordReader, ids: Sequence[str], keys: Mapping[str, bytes]) -> list[Row]:
    """Return the rows of these cases. One whose key is gone is stored as that, as a reading from the beginning would find it."""
    rows = []
    for id_ in ids:
        seen, erased, plain = reading.dump(id_)
        if plain is not None and id_ not in keys:
            plain, erased = None, state.NEVER
        nonce = os.urandom(NONCE)
        closed = None if plain is None else nonce + cipher(keys[id_]).encrypt(nonce, plain, PURPOSE + id_.encode())
        rows.append(Row(id_, msgspec.msgpack.encode((erased, seen)), closed))
    return rows


def opened(row: Row, keys: Mapping[str, bytes]) -> tuple[list[tuple[str, Last]], int | None, bytes | None]:
    """Return the arguments of `RecordReader.load`. InvalidTag: another key, case, or bytes."""
    erased, seen = msgspec.msgpack.decode(row.seen, type=tuple[int | None, list[tuple[str, int, bytes, bool]]])
    last = [(topic, Last(seq, digest, drill)) for topic, seq, digest, drill in seen]
    if row.state is None or erased is not None:
        return last, erased, None
    if row.case_id not in keys:
        return last, state.NEVER, None
    plain: Any = cipher(keys[row.case_id]).decrypt(row.state[:NONCE], row.state[NONCE:], PURPOSE + row.case_id.encode())
    return last, None, plain
