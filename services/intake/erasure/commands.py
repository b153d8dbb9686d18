"""Commands of erasure and of holds: ask, approve, refuse, hold and lift, each by a person and in the caller's transaction.

A person is an account that works its desk, and sends its own password with each command. The case's desk and oversight may act on a case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit, Who, permit
from referral.domain.authority.words import Act, Kind, Relation
from referral.domain.events import CaseErased
from referral.errors import Rejected
from referral.runtime import authority
from referral.runtime.postgres import clock, queue
from referral.wire.signed import erasure_approval, statements
from services.intake import store
from services.intake.accounts.store import Account
from services.intake.casefile import access
from services.intake.context import IntakeContext
from services.intake.erasure import store as erasures
from services.intake.erasure.store import Erasure, Hold

AT_ONCE = 100
"""Cases that one request asks for or approves (ours), in some two seconds."""
BASIS, HOLD_BASIS = "erasure-basis", "hold-basis"
_STANDS = "SELECT 1 FROM intake.account WHERE id = :id AND NOT disabled"


async def ask(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, basis: str, signature: bytes | None = None) -> Erasure:
    """Ask for the erasure of a case. signature: of the person, over `erasure_approval.request`, where approvers are named.

    Rejected 403: no approver signed it. 409: the case is held, or somebody has asked before.
    """
    basis = door.lists().word(BASIS, basis, "$.basis")
    case, leave = await _taken(tx, door, who, Act.ASK_ERASURE, case_id)
    known = await erasures.of_case(tx, leave, case_id)
    if known is not None:
        if (known.requested_by, known.basis) == (who.id, basis):
            return known
        raise Rejected("asked-before", "case_id", "somebody has asked before: approve or refuse that request", status=409)
    signature = _approver(door, signature, erasure_approval.request(case_id, basis, who.id))
    await _free(tx, leave)
    at = await clock.now(tx)
    wanted = Erasure(
        id=door.new_id(),
        case_id=case_id,
        desk=case.desk,
        basis=basis,
        requested_by=who.id,
        requested_at=at,
        requested_signature=signature,
    )
    await erasures.ask(tx, leave, wanted)
    return wanted


async def approve(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, signature: bytes | None = None) -> Erasure:
    """Approve the erasure that another person has asked for. No entry point shows the case any more, and the log entry that precedes its
    destruction is queued.

    signature: of this person, over `erasure_approval.approval`, where approvers are named.

    Rejected 403: the same person, or no approver signed it. 409: nobody has asked, the case is held, or the person who asked has no account
    any more.
    """
    known = await erasures.of_case(tx, _own(door, who), case_id)
    if known is not None and known.approved_by == who.id:
        return known
    case, leave = await _taken(tx, door, who, Act.APPROVE_ERASURE, case_id)
    known = await _asked(tx, leave)
    if known.requested_by == who.id:
        raise Rejected("same-person", "Authorization", "another person approves what you have asked for", status=403)
    if not await store.rows(tx, _STANDS, {"id": known.requested_by}):
        raise Rejected("requester-gone", "case_id", "whoever asked has no account any more: refuse it, and ask again", status=409)
    asked, signature = (known.requested_signature, signature) if door.approvers else (None, None)
    await _free(tx, leave)
    at = await clock.now(tx)
    body = CaseErased(
        requested_by=known.requested_by,
        requested_at=known.requested_at,
        approved_by=who.id,
        approved_at=at,
        basis=known.basis,
        records=await erasures.records(tx, leave),
        requested_signature=asked,
        approved_signature=signature,
    )
    _two_persons(door, case_id, body)
    await queue.put(tx, case_id, erasure_approval.signed(door.key, case_id, body), known.id, case.key, drill=case.drill)
    await erasures.approve(tx, leave, known, at)
    approved = await erasures.of_case(tx, leave, case_id)
    assert approved is not None
    return approved


Signatures = Mapping[str, bytes]
"""Case → the person's signature."""


async def ask_for_refused(
    tx: AsyncConnection, door: IntakeContext, who: Account, basis: str, signatures: Signatures
) -> tuple[list[Erasure], list[str]]:
    """Ask for the erasure of referrals that this person's desk refused to confirm, at most AT_ONCE; what is held is passed over.

    Return also the cases whose signature is missing; nothing is asked for these.
    """
    basis = door.lists().word(BASIS, basis, "$.basis")
    leave = access.without_case(_who(door, who), Act.ASK_ERASURE_REFUSED)
    cases = await erasures.unconfirmed(tx, leave, _desk(door, who), AT_ONCE)
    signed, unsigned = _signed(door, cases, signatures)
    made = [await _or_none(ask(tx, door, who, case_id, basis, signatures.get(case_id))) for case_id in signed]
    return [one for one in made if one is not None], unsigned


async def approve_refused(
    tx: AsyncConnection, door: IntakeContext, who: Account, signatures: Signatures
) -> tuple[list[Erasure], list[Erasure]]:
    """Approve the erasures of such referrals that other people have asked for, at most AT_ONCE; what is held is passed over.

    Return also the requests whose approval is not signed yet; they stay as they are.
    """
    leave = access.without_case(_who(door, who), Act.APPROVE_ERASURE_REFUSED)
    cases = await erasures.unconfirmed(tx, leave, _desk(door, who), AT_ONCE, approver=who.id)
    signed, unsigned = _signed(door, cases, signatures)
    made = [await _or_none(approve(tx, door, who, case_id, signatures.get(case_id))) for case_id in signed]
    waiting = [await erasures.of_case(tx, _own(door, who), case_id) for case_id in unsigned]
    return [one for one in made if one is not None], [one for one in waiting if one is not None]


def _signed(door: IntakeContext, cases: Sequence[str], signatures: Signatures) -> tuple[list[str], list[str]]:
    """Return the cases that this person has signed, or need not sign, and the others."""
    signed = [case_id for case_id in cases if not door.approvers or case_id in signatures]
    return signed, [case_id for case_id in cases if case_id not in signed]


async def _or_none(act: Awaitable[Erasure]) -> Erasure | None:
    try:
        return await act
    except Rejected as why:
        if why.status != 409:
            raise
        return None


def _approver(door: IntakeContext, signature: bytes | None, statement: bytes) -> bytes | None:
    """Return the signature of an approver; None where none is named. Rejected 403: no approver signed this."""
    if not door.approvers:
        return None
    if not statements.signer(door.approvers, signature, statement):
        hint = "sign it with the key of an approver whom `trust.toml` names (`referral case erase … --key FILE`)"
        raise Rejected("not-signed", "$.signature", hint, status=403)
    return signature


def _two_persons(door: IntakeContext, case_id: str, body: CaseErased) -> None:
    """Check that two approvers signed this, where any is named, before intake signs it. Rejected 403."""
    if door.approvers and (what := erasure_approval.lacks(door.approvers, case_id, body)):
        hint = f"{what}: another approver than the one who asked signs the approval (`referral case erase … --approve --key FILE`)"
        raise Rejected("not-signed", "$.signature", hint, status=403)


async def refuse(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str) -> Erasure:
    """Refuse an erasure that was asked for, also one's own. Rejected 409: nobody has asked."""
    _, leave = await _taken(tx, door, who, Act.REFUSE_ERASURE, case_id)
    known = await _asked(tx, leave)
    await erasures.refuse(tx, leave, known.id, await clock.now(tx))
    return known


async def hold(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, basis: str) -> Hold:
    """Place a hold: the case must be kept. The same basis twice is one hold."""
    basis = door.lists().word(HOLD_BASIS, basis, "$.basis")
    _, leave = await _taken(tx, door, who, Act.HOLD, case_id)
    known = next((active for active in await erasures.holds(tx, leave) if active.basis == basis), None)
    if known is not None:
        return known
    placed = Hold(id=door.new_id(), case_id=case_id, basis=basis, placed_by=who.id, placed_at=await clock.now(tx))
    await erasures.place(tx, leave, placed)
    return placed


async def lift(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, basis: str) -> Hold:
    """Lift a hold. Rejected 403: the person who placed it cannot lift it. 409: there is no such hold."""
    _, leave = await _taken(tx, door, who, Act.LIFT_HOLD, case_id)
    known = next((active for active in await erasures.holds(tx, leave) if active.basis == basis), None)
    if known is None:
        raise Rejected("not-held", "$.basis", "no hold with this basis stands", status=409)
    if known.placed_by == who.id:
        raise Rejected("same-person", "Authorization", "another person lifts the hold that you have placed", status=403)
    await erasures.lift(tx, leave, known.id, await clock.now(tx))
    return known


async def state(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str) -> tuple[Erasure | None, tuple[str, ...]]:
    """Return the erasure of a case, if it has one that was not refused, and the reasons that hold the case. Rejected 404: this person may
    see neither."""
    known = await erasures.of_case(tx, _own(door, who), case_id)
    if known is not None and known.approved_at is not None:
        actor, involved = _who(door, who), await access.involvement(tx, who.agency, case_id)
        desk = {Relation.DESK_NOW} if who.agency == known.desk else set[Relation]()
        stands = involved.standing(actor) | desk
        access.granted(permit(authority.declared(), actor, Act.SEE_ERASURE, stands, involved.state, case_id))
        return known, ()
    _, leave = await _taken(tx, door, who, Act.SEE_ERASURE, case_id)
    return known, await erasures.held(tx, leave)


async def waiting(tx: AsyncConnection, door: IntakeContext, who: Account) -> tuple[Erasure, ...]:
    """Return the erasures that wait for approval or destruction at this person's desk; for oversight those of all desks."""
    return await erasures.at_desk(tx, _own(door, who), _desk(door, who))


async def _taken(tx: AsyncConnection, door: IntakeContext, who: Account, act: Act, case_id: str) -> tuple[access.Case, Permit]:
    """Lock and return the case, with the permit of a person who may do this. Rejected: as the authority table declares."""
    _own(door, who)
    case = await access.take(tx, door.keys, case_id)
    return case, await access.permitted(tx, _who(door, who), act, case_id)


def _who(door: IntakeContext, who: Account) -> Who:
    kind = Kind.STAFF if not who.desk else Kind.OVERSIGHT if who.agency == door.lists().oversight else Kind.DESK
    return Who(kind, who.agency, who.id)


def _desk(door: IntakeContext, who: Account) -> str:
    """Return the desk whose cases this person may act on; empty for oversight: of all desks."""
    return "" if who.agency == door.lists().oversight else who.agency


def _own(door: IntakeContext, who: Account) -> Permit:
    """Return the permit to look for erasures. Rejected 403: this account does not work its desk."""
    return access.without_case(_who(door, who), Act.LIST_ERASURES)


async def _asked(tx: AsyncConnection, leave: Permit) -> Erasure:
    known = await erasures.of_case(tx, leave, leave.case_id)
    if known is None:
        raise Rejected("not-asked", "case_id", "nobody has asked for the erasure of this case", status=409)
    return known


async def _free(tx: AsyncConnection, leave: Permit) -> None:
    if kept_by := await erasures.held(tx, leave):
        hint = f"it must be kept ({', '.join(kept_by)}): close the case and its complaints, and have another person lift the holds"
        raise Rejected("held", "case_id", hint, status=409)
