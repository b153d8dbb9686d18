"""Import files in the shape of HTCDS over HTTP: accept every valid record, and report every other by row and column. A file may be sent
again safely."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, structs
from starlette.concurrency import run_in_threadpool

from referral.domain.events import Door
from referral.errors import Rejected
from referral.runtime.http_message import Problem
from referral.runtime.postgres import clock
from services.intake import problems
from services.intake.api import receipts
from services.intake.api.agency_request import AgencyRequest
from services.intake.commands import accept_referrals, idempotency
from services.intake.commands.accept_referrals import Posting
from services.intake.context import IntakeContext
from services.intake.htcds import fields, reader
from services.intake.htcds import record as htcds
from services.intake.htcds.fields import Fields
from services.intake.htcds.reader import Note, Record, Sheet
from services.intake.messages.timestamps import EPOCH, when
from services.intake.model import LATER, REUSED, Receipt

CSV, HTCDS = "text/csv", "application/vnd.htcds+json"
TOGETHER = 50
"""Records in one transaction (ours): when a file is cut off, its first records are stored, and the same file sent again finds them."""


class RowReceipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record. state: TAKEN, REPEATED (it had come before: the receipt that it had), or REFUSED, with every problem that it has.
    file: as of a referral's receipt."""

    row: int
    state: str
    referral_id: str = ""
    case_id: str = ""
    event_id: str = ""
    received_at: str = ""
    logged_by: str = ""
    signature: str = ""
    file: str = ""
    problems: tuple[Problem, ...] = ()


class SheetReceipt(Struct, frozen=True, kw_only=True):
    """The result of each record of a file, in order. ignored: columns of which nothing is stored."""

    taken: int
    repeated: int
    refused: int
    rows: tuple[RowReceipt, ...]
    ignored: tuple[Note, ...]


class Sheets:
    """The HTTP handlers for files. They share the table of HTCDS fields."""

    def __init__(self, door: IntakeContext) -> None:
        self._door = door
        self._table = fields.load()

    async def csv(self, call: AgencyRequest) -> SheetReceipt:
        """Accept the rows of a CSV in the shape of HTCDS."""
        return await self._take(call, reader.from_csv)

    async def json(self, call: AgencyRequest) -> SheetReceipt:
        """Accept the records of a JSON array in the shape of HTCDS."""
        return await self._take(call, reader.from_json)

    async def _take(self, call: AgencyRequest, read: Callable[[bytes, Fields], Sheet]) -> SheetReceipt:
        sheet = await run_in_threadpool(read, call.data, self._table)  # up to a mebibyte: other requests are answered meanwhile
        seen: Counter[bytes] = Counter()
        rows: list[RowReceipt] = []
        for start in range(0, len(sheet.records), TOGETHER):
            rows += await self._some(call, sheet.records[start : start + TOGETHER], seen)
        rows = list(_once(rows))
        count = Counter(row.state for row in rows)
        return SheetReceipt(
            taken=count["TAKEN"], repeated=count["REPEATED"], refused=count["REFUSED"], rows=tuple(rows), ignored=sheet.ignored
        )

    async def _some(self, call: AgencyRequest, records: Sequence[Record], seen: Counter[bytes]) -> list[RowReceipt]:
        """Accept some records in one transaction. seen: number of times that a record's content came before in the file, so that two equal
        rows are two persons."""
        lists = self._door.lists()
        answers: dict[int, RowReceipt] = {}
        postings: dict[int, Posting] = {}
        async with self._door.begin() as tx:
            now = await clock.now(tx)
            today = (EPOCH + timedelta(microseconds=now)).date()
            read = await run_in_threadpool(lambda: [htcds.read(record, self._table, lists, today) for record in records])
            for record, parsed in zip(records, read, strict=True):
                if isinstance(parsed, htcds.Faulty):
                    answers[record.row] = _refused(record.row, parsed.faults)
                    continue
                seen[parsed.same] += 1
                try:
                    postings[record.row] = self._posting(call, record, parsed, seen[parsed.same])
                except Rejected as fault:
                    answers[record.row] = _refused(record.row, (fault,))
            given = await accept_referrals.accept(tx, self._door, lists, [*postings.values()]) if postings else []
        for row, answer in zip(postings, given, strict=True):
            answers[row] = _answer(row, answer, now, self._door.key)
        return [answers[row] for row in sorted(answers)]

    def _posting(self, call: AgencyRequest, record: Record, valid: htcds.ValidRecord, occurrence: int) -> Posting:
        """Return the posting of a record. Its key is the record's own, else derived from its content and, where the file has a key, from
        that."""
        scope = call.key.hex() if call.key else ""
        key = valid.key or f"htcds:{hashlib.sha256(f'{scope} {occurrence} '.encode() + valid.same).hexdigest()}"
        digest = idempotency.key_digest(self._door.keys, call.agency, key, f"{record.place}ref_Key")
        same = (b"htcds", valid.same)
        return Posting(agency=call.agency, key=digest, door=Door.HTTP, referral=valid.submission, same=same, signed=call.signed)


def _once(rows: Iterable[RowReceipt]) -> Iterator[RowReceipt]:
    """Yield the rows; a key that the file uses again counts as REPEATED."""
    known: set[str] = set()
    for row in rows:
        yield structs.replace(row, state="REPEATED") if row.state == "TAKEN" and row.referral_id in known else row
        known.add(row.referral_id)


def _answer(row: int, receipt: Receipt | Rejected, now: int, key: Ed25519PrivateKey) -> RowReceipt:
    if isinstance(receipt, Rejected):  # its key has another body, or the agency has sent very many
        where = {REUSED: "ref_Key", "too-many": "ref_Urgency"}.get(receipt.code, "")
        return _refused(row, (Rejected(receipt.code, where, receipt.hint, status=receipt.status),))
    signed = receipts.signed(receipt, key)
    return RowReceipt(
        row=row,
        state="REPEATED" if receipt.received_at < now else "TAKEN",
        referral_id=receipt.id,
        case_id=receipt.case_id,
        event_id=receipt.event_id,
        received_at=when(receipt.received_at),
        logged_by=signed["logged_by"],
        signature=signed["signature"],
        file=LATER if receipt.later else "",
    )


def _refused(row: int, faults: Iterable[Rejected]) -> RowReceipt:
    return RowReceipt(row=row, state="REFUSED", problems=tuple(problems.problem(fault) for fault in faults))
