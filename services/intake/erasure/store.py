"""SQL of erasures and holds: requests, approvals, and reasons to keep a case. The caller commits."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.events import CaseErased
from referral.domain.inputs import derived
from referral.domain.rules.context import UNCONFIRMED
from services.intake.policy_view import RAISED
from services.intake.store import rows

TOPIC = "referral-intake"
OPEN, COMPLAINT = "open", "complaint"
"""Reasons that hold a case without a person's hold: the case is open, or a complaint about its handling is open."""


class Erasure(Struct, frozen=True, kw_only=True):
    """One request for an erasure. Times: µs UTC; None: not yet. requested_signature: of the person who asked."""

    id: str
    case_id: str
    desk: str
    basis: str
    requested_by: str
    requested_at: int
    refused_by: str | None = None
    refused_at: int | None = None
    approved_by: str | None = None
    approved_at: int | None = None
    destroyed_at: int | None = None
    requested_signature: bytes | None = None

    @property
    def state(self) -> str:
        """Return REQUESTED, REFUSED, APPROVED (no entry point shows the case any more) or ERASED."""
        if self.destroyed_at is not None:
            return "ERASED"
        return "APPROVED" if self.approved_at is not None else "REFUSED" if self.refused_at is not None else "REQUESTED"

    @property
    def event_id(self) -> str:
        """Return the id of the CaseErased event that the consumer loop emits for it."""
        return derived(self.id, 0)


class Hold(Struct, frozen=True, kw_only=True):
    """A person's order to keep a case."""

    id: str
    case_id: str
    basis: str
    placed_by: str
    placed_at: int


_COLUMNS = ", ".join(Erasure.__struct_fields__)
_HOLD = ", ".join(Hold.__struct_fields__)
_ASK = text(
    "INSERT INTO intake.erasure (id, case_id, desk, basis, requested_by, requested_at, requested_signature) "
    "VALUES (:id, :case_id, :desk, :basis, :requested_by, :requested_at, :requested_signature)"
)
_APPROVE = text("UPDATE intake.erasure SET approved_by = :by, approved_at = :at WHERE id = :id")
_HIDE = text("UPDATE intake.casefile SET erasing_at = :at, changed = changed + 1 WHERE case_id = :case AND erasing_at IS NULL")
_HIDE_ALL = text(
    "UPDATE intake.casefile c SET erasing_at = e.approved_at, changed = c.changed + 1 FROM intake.erasure e "
    "WHERE e.case_id = c.case_id AND e.approved_at IS NOT NULL AND c.erasing_at IS NULL"
)
_REFUSE = text("UPDATE intake.erasure SET refused_by = :by, refused_at = :at WHERE id = :id")
_PLACE = text("INSERT INTO intake.hold (id, case_id, basis, placed_by, placed_at) VALUES (:id, :case_id, :basis, :placed_by, :placed_at)")
_LIFT = text("UPDATE intake.hold SET lifted_by = :by, lifted_at = :at WHERE id = :id")
# Closed, never confirmed, and of no procedure; without those whose erasure somebody has refused. A case that was confirmed has a procedure,
# or the task `no-pathway`.
_UNCONFIRMED = (
    "SELECT c.case_id FROM intake.casefile c LEFT JOIN intake.erasure e ON e.case_id = c.case_id AND e.refused_at IS NULL "
    "WHERE (:desk = '' OR c.desk = :desk) AND c.closed_at IS NOT NULL AND c.erasing_at IS NULL AND e.approved_at IS NULL "
    "AND CASE WHEN e.id IS NULL THEN :asked = '' ELSE :asked <> '' AND e.requested_by <> :asked END "
    "AND EXISTS (SELECT FROM intake.task t WHERE t.case_id = c.case_id AND t.about = :about) "
    "AND NOT EXISTS (SELECT FROM intake.task t WHERE t.case_id = c.case_id AND t.closed_at IS NULL) "
    "AND NOT EXISTS (SELECT FROM intake.track t WHERE t.case_id = c.case_id) "
    "AND NOT EXISTS (SELECT FROM intake.task t WHERE t.case_id = c.case_id AND t.about = 'no-pathway') "
    "AND NOT EXISTS (SELECT FROM intake.erasure kept WHERE kept.case_id = c.case_id AND kept.refused_at IS NOT NULL) "
    "AND NOT EXISTS (SELECT FROM intake.exclusion x WHERE x.case_id = c.case_id AND ((x.kind = 'AGENCY' AND x.actor = :agency) "
    "OR (x.kind = 'STAFF' AND x.actor = :account))) "
    "ORDER BY c.closed_at, c.case_id LIMIT :most"
)
_RECORDS = (
    "SELECT coalesce((SELECT seq FROM intake.seen WHERE topic = :topic AND case_id = :case), 0) "
    "+ (SELECT count(*) FROM intake.queue WHERE case_id = :case AND NOT sent)"
)
_FOUND = text(
    "INSERT INTO intake.erasure (id, case_id, desk, basis, requested_by, requested_at, approved_by, approved_at) "
    "VALUES (:id, :case_id, '', :basis, :requested_by, :requested_at, :approved_by, :approved_at) ON CONFLICT DO NOTHING"
)
_SETTLED = text(
    "UPDATE intake.erasure SET approved_by = :approved_by, approved_at = :approved_at, refused_by = NULL, refused_at = NULL "
    "WHERE id = :id AND approved_at IS NULL"
)
_READ = text(
    "INSERT INTO intake.erasure_read (partition, next) SELECT * FROM unnest(CAST(:partitions AS int[]), CAST(:nexts AS bigint[])) "
    "ON CONFLICT (partition) DO UPDATE SET next = excluded.next"
)


async def of_case(tx: AsyncConnection, leave: Permit, case_id: str) -> Erasure | None:
    """Return the erasure of a case, unless it was refused."""
    matches = await rows(tx, f"SELECT {_COLUMNS} FROM intake.erasure WHERE case_id = :case AND refused_at IS NULL", {"case": case_id})  # noqa: S608
    return Erasure(**matches[0]._mapping) if matches else None


_AWAY = (
    "EXISTS (SELECT FROM intake.exclusion x WHERE x.case_id = o.case_id AND ((x.kind = 'AGENCY' AND x.actor = :agency) "
    "OR (x.kind = 'STAFF' AND x.actor = :account)))"
)


async def at_desk(tx: AsyncConnection, leave: Permit, desk: str) -> tuple[Erasure, ...]:
    """Return the erasures that a desk's staff may approve, refuse or watch, without those of cases that keep this person away.

    desk: empty: those of all desks.
    """
    live = f"(:desk = '' OR desk = :desk) AND refused_at IS NULL AND destroyed_at IS NULL AND NOT {_AWAY}"
    sql = f"SELECT {_COLUMNS} FROM intake.erasure o WHERE {live} ORDER BY requested_at"  # noqa: S608
    values = {"desk": desk, "agency": leave.agency, "account": leave.account}
    return tuple(Erasure(**row._mapping) for row in await rows(tx, sql, values))


async def done(tx: AsyncConnection, leave: Permit) -> int:
    """Return the number of erasures that are done: one look every two seconds at the whole table."""
    return int((await rows(tx, "SELECT count(*) FROM intake.erasure WHERE destroyed_at IS NOT NULL", {}))[0][0])


async def unconfirmed(tx: AsyncConnection, leave: Permit, desk: str, most: int, approver: str = "") -> tuple[str, ...]:
    """Return cases of a desk (empty: of any) that it refused to confirm, at most so many, the longest closed first: those whose erasure
    nobody has asked for; with an approver, those for which somebody else has. A case that keeps this person away is not among them, and
    nothing tells of it."""
    who = {"agency": leave.agency, "account": leave.account}
    values = {"desk": desk, "asked": approver, "about": UNCONFIRMED, "most": most, **who}
    return tuple(row[0] for row in await rows(tx, _UNCONFIRMED, values))


async def ask(tx: AsyncConnection, leave: Permit, wanted: Erasure) -> None:
    """Store a request. leave: of the person who asks."""
    assert leave.case_id == wanted.case_id
    values = {
        name: getattr(wanted, name) for name in ("id", "case_id", "desk", "basis", "requested_by", "requested_at", "requested_signature")
    }
    await tx.execute(_ASK, values)


async def approve(tx: AsyncConnection, leave: Permit, wanted: Erasure, at: int) -> None:
    """Approve an erasure: after this transaction no entry point shows the case. The caller has locked it. leave: of the second person."""
    await tx.execute(_APPROVE, {"id": wanted.id, "by": leave.account, "at": at})
    await tx.execute(_HIDE, {"case": leave.case_id, "at": at})


async def refuse(tx: AsyncConnection, leave: Permit, id: str, at: int) -> None:
    await tx.execute(_REFUSE, {"id": id, "by": leave.account, "at": at})


async def held(tx: AsyncConnection, leave: Permit) -> tuple[str, ...]:
    """Return the reasons that keep the permit's case from being erased: open, complaint, or the bases of its holds. The caller has
    locked it."""
    sql = (
        "SELECT closed_at IS NULL, EXISTS (SELECT FROM intake.link l JOIN intake.casefile c ON c.case_id = l.case_id "
        "WHERE l.other = :case AND l.how = :raised AND c.closed_at IS NULL) FROM intake.casefile WHERE case_id = :case"
    )
    states = await rows(tx, sql, {"case": leave.case_id, "raised": RAISED})
    by_itself = [word for word, true in zip((OPEN, COMPLAINT), states[0] if states else (), strict=False) if true]
    return (*by_itself, *(hold.basis for hold in await holds(tx, leave)))


async def holds(tx: AsyncConnection, leave: Permit) -> tuple[Hold, ...]:
    """Return the holds on the permit's case that nobody has lifted."""
    sql = f"SELECT {_HOLD} FROM intake.hold WHERE case_id = :case AND lifted_at IS NULL ORDER BY placed_at"  # noqa: S608
    return tuple(Hold(**row._mapping) for row in await rows(tx, sql, {"case": leave.case_id}))


async def place(tx: AsyncConnection, leave: Permit, hold: Hold) -> None:
    assert leave.case_id == hold.case_id
    await tx.execute(_PLACE, {name: getattr(hold, name) for name in Hold.__struct_fields__})


async def lift(tx: AsyncConnection, leave: Permit, id: str, at: int) -> None:
    await tx.execute(_LIFT, {"id": id, "by": leave.account, "at": at})


async def records(tx: AsyncConnection, leave: Permit) -> int:
    """Return the number of records that the topic will hold of the permit's case once its queue is published. The caller has
    locked it."""
    return int((await rows(tx, _RECORDS, {"case": leave.case_id, "topic": TOPIC}))[0][0])


async def restore(tx: AsyncConnection, leave: Permit, id: str, case_id: str, body: CaseErased) -> None:
    """Store an erasure that the topic contains and this database lacks, wholly or in part, because an older copy was restored."""
    values = {name: getattr(body, name) for name in ("basis", "requested_by", "requested_at", "approved_by", "approved_at")}
    await tx.execute(_SETTLED, {**values, "id": id})
    await tx.execute(_FOUND, {**values, "id": id, "case_id": case_id})
    await tx.execute(_HIDE, {"case": case_id, "at": body.approved_at})


async def hide(tx: AsyncConnection, leave: Permit) -> None:
    """Hide every case whose erasure is approved and which an older copy shows again."""
    await tx.execute(_HIDE_ALL)


async def read_up_to(tx: AsyncConnection) -> dict[int, int]:
    """Return partition of `referral-intake` → first offset that was not read for erasures."""
    return {int(row[0]): int(row[1]) for row in await rows(tx, "SELECT partition, next FROM intake.erasure_read", {})}


async def have_read(tx: AsyncConnection, ends: dict[int, int]) -> None:
    await tx.execute(_READ, {"partitions": list(ends), "nexts": list(ends.values())})
