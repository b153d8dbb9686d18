# ruff: noqa: S608 - only constants of this file and of the store are put together
"""Lock a case and read an agency's relation to it, in SQL. The row of intake.casefile is the lock: readers, and changes that end a reading,
take turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit, Who, permit
from referral.domain.authority.words import Act, Kind, Relation, State
from referral.errors import Rejected
from referral.runtime import authority
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import SecretBox
from services.intake.casefile import sections
from services.intake.casefile.disclosure_rules import CaseFacts
from services.intake.store import NEVER, SEEN_THEN, rows, unknown


@dataclass(frozen=True, slots=True, repr=False)
class Case:
    """A case whose row this transaction has locked.

    sealed_at: sections written until then are never disclosed again, µs UTC; 0 where nothing is sealed.
    key: encrypts the case's events.
    cipher: encrypts its case file.
    """

    case_id: str
    desk: str
    drill: bool
    closed: bool
    sealed_at: int
    key: bytes
    cipher: SecretBox
    facts: CaseFacts

    def __repr__(self) -> str:
        return f"Case({self.case_id})"


@dataclass(frozen=True, slots=True)
class Involvement:
    """The relation of an agency to a case.

    relations: all that hold; without those of whom the case keeps away.
    excluded: (kind, actor).
    alone: one party alone has excluded this agency, which holds a duty.
    then_at: when it has, µs UTC, for half an hour: the agency sees the case as of then; None: as it is.
    away_at: since when the case keeps this agency away, and not before routing's first decision, µs UTC; None: it does not.
    """

    relations: frozenset[Relation]
    state: State
    excluded: frozenset[tuple[str, str]]
    alone: bool = False
    then_at: int | None = None
    away_at: int | None = None

    @property
    def sender(self) -> bool:
        """Return True for the sender of a referral that is not withdrawn."""
        return Relation.SENDER in self.relations

    @property
    def holder(self) -> bool:
        """Return True for the holder of an open offer."""
        return not self.relations.isdisjoint(LIVE)

    @property
    def held(self) -> bool:
        """Return True for whoever holds or held an offer."""
        return not self.relations.isdisjoint(OFFERED)

    @property
    def desk(self) -> bool:
        """Return True if the case belongs to this desk, or the desk has an open task of it."""
        return not self.relations.isdisjoint(DESKS)

    def barred(self, agency: str, account: str | None = None) -> bool:
        return ("AGENCY", agency) in self.excluded or (account is not None and ("STAFF", account) in self.excluded)

    def standing(self, who: Who) -> frozenset[Relation]:
        """Return every relation of a person or system of this agency."""
        person = {Relation.EXCLUDED_PERSON} if ("STAFF", who.account) in self.excluded else set[Relation]()
        if not self.barred(who.agency):
            return self.relations | person
        if self.at_rest is not None:
            return frozenset(person | {Relation.EXCLUDED_SENDER if self.sender else Relation.WITHDRAWN})
        return self.relations | {Relation.EXCLUDED if self.held else Relation.EXCLUDED_UNASKED} | person

    @property
    def at_rest(self) -> int | None:
        """Return the moment at which an excluded agency sees the case for ever, which did nothing but refer it, µs UTC; None: the agency is
        not excluded, or stands to the case in another way too (decision 0080)."""
        return self.away_at if self.relations and self.relations <= SENT else None

    @property
    def seen_until(self) -> int:
        """Return until when the agency sees what happens in the case, and reads what is written, µs UTC."""
        return next((at for at in (self.at_rest, self.then_at) if at is not None), NEVER)

    def reading(self, agency: str) -> Involvement:
        """Return the relation as far as it matters for reading: one party alone does not blind an agency that has taken a duty. Where it is
        a desk of the case too, it sees no more than its duty."""
        if not self.alone:
            return self
        return replace(self, excluded=self.excluded - {("AGENCY", agency)}, relations=self.relations - DESKS)

    @property
    def agencies(self) -> frozenset[str]:
        """Return the excluded agencies."""
        return frozenset(actor for kind, actor in self.excluded if kind == "AGENCY")


READING = frozenset((Act.READ_FILE, Act.SEE_CASE, Act.SEE_OFFER))
"""Acts that such an exclusion does not end."""
SENT = frozenset((Relation.SENDER, Relation.WITHDRAWN))
LIVE = frozenset((Relation.HOLDER, Relation.TELEPHONED))
OFFERED = LIVE | {Relation.DECLINED, Relation.HELD}
DESKS = frozenset((Relation.DESK_NOW, Relation.DESK_TASK))
_PLACE = (
    "SELECT ARRAY(SELECT CASE WHEN withdrawn_at IS NULL THEN 'sender' ELSE 'withdrawn' END FROM intake.referral "
    "WHERE case_id = :case AND agency = :agency) "
    "|| ARRAY(SELECT CASE WHEN closed_at IS NOT NULL THEN 'held' WHEN declined_by IS NOT NULL THEN 'declined' "
    "WHEN reach = 'PHONE' THEN 'telephoned' ELSE 'holder' END FROM intake.offer WHERE case_id = :case AND agency = :agency) "
    "|| ARRAY(SELECT CASE WHEN closed_at IS NULL THEN 'desk-task' ELSE 'desk-before' END FROM intake.task "
    "WHERE case_id = :case AND desk = :agency) "
    "|| ARRAY(SELECT CAST('desk-now' AS text) FROM intake.casefile WHERE case_id = :case AND desk = :agency), "
    "ARRAY(SELECT kind || ':' || actor FROM intake.exclusion WHERE case_id = :case), "
    "EXISTS (SELECT FROM intake.erasure WHERE case_id = :case AND approved_at IS NOT NULL), "
    "coalesce((SELECT CASE WHEN closed_at IS NULL THEN 'open' WHEN EXISTS (SELECT FROM intake.erasure WHERE case_id = :case "
    "AND refused_at IS NULL) THEN 'asked' WHEN sealed_at IS NOT NULL THEN 'sealed' ELSE 'closed' END "
    "FROM intake.casefile WHERE case_id = :case), 'erased'), "
    "EXISTS (SELECT FROM intake.exclusion WHERE case_id = :case AND kind = 'AGENCY' AND actor = :agency AND proposal IS NOT NULL), "
    f"(SELECT x.at FROM intake.exclusion x WHERE x.case_id = :case AND {SEEN_THEN}), "
    "(SELECT greatest(x.at, (SELECT min(h.at) FROM intake.happening h WHERE h.case_id = x.case_id)) FROM intake.exclusion x "
    "WHERE x.case_id = :case AND x.kind = 'AGENCY' AND x.actor = :agency)"
)
# With what the head of the case says now: the agency sees that, while one party alone excludes it.
_EXCLUDE = text(
    "INSERT INTO intake.exclusion (case_id, kind, actor, sealed, desk) SELECT n.id, n.kind, n.actor, c.sealed, c.desk "
    "FROM (SELECT CAST(:case AS text) AS id, CAST(:kind AS text) AS kind, CAST(:actor AS text) AS actor) n "
    "LEFT JOIN intake.casefile c ON c.case_id = n.id AND n.kind = 'AGENCY' WHERE :counts ON CONFLICT DO NOTHING"
)
_LIFT = text("DELETE FROM intake.exclusion WHERE case_id = :case AND kind = :kind AND actor = :actor")
_ALONE = text(
    "UPDATE intake.exclusion x SET proposal = :proposal WHERE case_id = :case AND kind = 'AGENCY' AND actor = :actor AND EXISTS (SELECT"
    " FROM intake.offer o WHERE o.case_id = x.case_id AND o.agency = x.actor AND o.closed_at IS NULL"
    " AND o.state IN ('ACCEPTED', 'ON_HOLD'))"
)
_WHOLLY = text("UPDATE intake.exclusion SET proposal = NULL WHERE case_id = :case AND proposal = :proposal")
_WHOLLY_OF = text("UPDATE intake.exclusion SET proposal = NULL WHERE case_id = :case AND lower(kind) || ':' || actor = :actor")
_COLUMNS = (
    "SELECT case_id, desk, drill, closed_at IS NOT NULL, coalesce(sealed_at, 0), sealed "
    "FROM intake.casefile WHERE case_id = :case AND erasing_at IS NULL"
)


async def hold(tx: AsyncConnection, keys: Keys, case_id: str) -> Case:
    """Lock and return the case for reading: until this transaction ends, no other transaction ends a reading. Rejected 404: unknown or
    erased.

    Readings of one case take turns. PostgreSQL lets transactions with a shared lock pass a transaction that waits for the exclusive one:
    six readers without a pause kept an exclusion out for 4.5 s (measured), and the exclusion was refused. Now each waits for its turn, and
    so does a transaction that ends reading.
    """
    return await _case(tx, keys, case_id, await rows(tx, f"{_COLUMNS} FOR NO KEY UPDATE", {"case": case_id}))


async def take(tx: AsyncConnection, keys: Keys, case_id: str) -> Case:
    """Lock and return the case for a change of what may be read; waits for readers. Rejected 404: unknown or erased."""
    return await _case(tx, keys, case_id, await rows(tx, f"{_COLUMNS} FOR UPDATE", {"case": case_id}))


async def known(tx: AsyncConnection, keys: Keys, case_id: str) -> Case | None:
    """Return a case without a lock: this transaction has it already, or reads nothing that a lock keeps; None: unknown, or being erased."""
    columns = await rows(tx, _COLUMNS, {"case": case_id})
    return await _case(tx, keys, case_id, columns) if columns else None


async def kept_away(tx: AsyncConnection, leave: Permit, case_id: str) -> frozenset[str]:
    """Return the agencies that a case excludes."""
    sql = "SELECT actor FROM intake.exclusion WHERE case_id = :case AND kind = 'AGENCY'"
    return frozenset(row[0] for row in await rows(tx, sql, {"case": case_id}))


async def _case(tx: AsyncConnection, keys: Keys, case_id: str, columns: Sequence[Any]) -> Case:
    key = (await keys.load(tx, [case_id])).get(case_id) if columns else None
    if key is None:
        raise unknown("case", "case_id")
    cipher = sections.box(key)
    _, desk, drill, closed, sealed_at, sealed = columns[0]
    return Case(case_id, desk, drill, closed, sealed_at, key, cipher, sections.facts(cipher, case_id, bytes(sealed)))


async def involvement(tx: AsyncConnection, agency: str, case_id: str) -> Involvement:
    """Return the relation of an agency to a case. Call it after `hold` or `take`, so that it sees the changes that they waited for.

    A case whose erasure is approved has no relations any more; whom it kept away stays away until it is destroyed.
    """
    relations, excluded, gone, state, alone, then_at, away_at = (await rows(tx, _PLACE, {"case": case_id, "agency": agency}))[0]
    away = frozenset((kind, actor) for kind, _, actor in (pair.partition(":") for pair in excluded))
    if gone:
        return Involvement(frozenset(), State.ERASED if state == State.ERASED else State.ERASING, away)
    return Involvement(frozenset(map(Relation, relations)), State(state), away, alone, then_at, away_at)


async def permitted(tx: AsyncConnection, who: Who, act: Act, case_id: str) -> Permit:
    """Return the permit for an act of somebody about a case, as the authority table declares it. Rejected: the refusal of the table.

    Call it after `hold` or `take`, as `involvement`.
    """
    involved = await involvement(tx, who.agency, case_id)
    if act in READING:
        involved = involved.reading(who.agency)
    return granted(permit(authority.declared(), who, act, involved.standing(who), involved.state, case_id))


async def near(tx: AsyncConnection, who: Who, act: Act, case_id: str) -> None:
    """Refuse an act about a case that the sender must not know, before anything else is read: one statement, as for a case that does not
    exist, so that the time tells nothing. Rejected 404."""
    involved = await involvement(tx, who.agency, case_id)
    if act in READING:
        involved = involved.reading(who.agency)
    found = permit(authority.declared(), who, act, involved.standing(who), involved.state, case_id)
    if isinstance(found, Rejected) and found.status == 404:
        raise found


def without_case(who: Who, act: Act) -> Permit:
    """Return the permit for an act about no case: a list of one's own, or the work of a service. Rejected: the refusal of the table."""
    return granted(permit(authority.declared(), who, act))


def by_receipt(agency: str, case_id: str) -> Permit:
    """Return the permit of a stranger with the code of a receipt, which names its case. agency: in whose name the referral was sent."""
    return granted(permit(authority.declared(), Who(Kind.STRANGER, agency), Act.READ_RECEIPT, case_id=case_id))


def own(who: Who) -> Permit:
    """Return the permit to find what is one's own: offers, tasks and referrals under the agency's name. SQL shows no others.

    What is found names its case; to show or change it needs a permit for this case. Rejected: the refusal of the table.
    """
    system = who.kind is Kind.SYSTEM
    return without_case(who if system else replace(who, kind=Kind.STAFF), Act.LIST_OFFERS if system else Act.SEE_INBOX)


def granted(found: Permit | Rejected) -> Permit:
    """Return the permit. Raises the refusal."""
    if isinstance(found, Rejected):
        raise found
    return found


async def may_name(tx: AsyncConnection, agency: str, case_id: str) -> bool:
    """Return True if a sender may attach a further referral to a case: it sent one or holds an offer, and is not excluded, or sees it at
    rest."""
    involved = await involvement(tx, agency, case_id)
    return (involved.sender or involved.holder) and (not involved.barred(agency) or involved.at_rest is not None)


async def facts_seen(tx: AsyncConnection, leave: Permit, case: Case, agency: str, involved: Involvement) -> CaseFacts | None:
    """Return the traits and consent as of when this agency sees the case: as they are, or as they were when one party alone excluded it;
    None: nobody has stored those. leave: to read the case, or to read it out to this agency."""
    if involved.then_at is None:
        return case.facts
    sql = "SELECT sealed FROM intake.exclusion WHERE case_id = :case AND kind = 'AGENCY' AND actor = :agency"
    for (sealed,) in await rows(tx, sql, {"case": leave.case_id, "agency": agency}):
        return None if sealed is None else sections.facts(case.cipher, leave.case_id, bytes(sealed))
    return None


async def store_facts(tx: AsyncConnection, leave: Permit, case: Case, facts: CaseFacts, desk: str) -> None:
    """Store the traits and consent that hold from now on, and the desk of the case. leave: for an act that changes the case."""
    sealed = sections.seal_facts(case.cipher, case.case_id, facts)
    sql = "UPDATE intake.casefile SET sealed = :sealed, desk = :desk, changed = changed + 1 WHERE case_id = :case"
    await tx.execute(text(sql), {"sealed": sealed, "desk": desk, "case": case.case_id})


async def lift(tx: AsyncConnection, leave: Permit, case_id: str, actors: Iterable[str]) -> None:
    """Lift the exclusions of actors (kind:id)."""
    pairs = [actor.split(":", 1) for actor in actors]
    if pairs:
        await tx.execute(_LIFT, [{"case": case_id, "kind": kind.upper(), "actor": actor} for kind, actor in pairs])


async def exclude(tx: AsyncConnection, leave: Permit, kept_away: Mapping[str, Iterable[str]], *, counts: bool = True) -> None:
    """Exclude actors (kind:id) from cases, by case id: after this transaction they read and see nothing. counts: False changes nothing in
    the time of a change: whoever is excluded excludes nobody."""
    pairs = [(case, *actor.split(":", 1)) for case, actors in sorted(kept_away.items()) for actor in actors]
    if pairs:
        found = [{"case": case, "kind": kind.upper(), "actor": actor, "counts": counts} for case, kind, actor in pairs]
        await tx.execute(_EXCLUDE, found)


async def alone(tx: AsyncConnection, leave: Permit, case_id: str, actor: str, proposal: str) -> None:
    """Note that one party alone excludes an agency (kind:id) that holds a duty; a second one is asked by this task (proposal). Where the
    agency has accepted nothing, the exclusion holds wholly."""
    await tx.execute(_ALONE, {"case": case_id, "actor": actor.removeprefix("agency:"), "proposal": proposal})


async def seconded(tx: AsyncConnection, leave: Permit, case_id: str, proposal: str) -> None:
    """Let an exclusion hold wholly: a second party was asked by this task (proposal), and it is settled."""
    await tx.execute(_WHOLLY, {"case": case_id, "proposal": proposal})


async def said_by_desk(tx: AsyncConnection, leave: Permit, actor: str) -> None:
    """Let an exclusion (kind:id) of the permit's case hold wholly at once: its desk says it."""
    await tx.execute(_WHOLLY_OF, {"case": leave.case_id, "actor": actor})


EXCLUSIONS = 64
"""Actors that one case excludes, as long as no desk of it excludes more (ours). Each change of a case repeats all of them in one record:
with thousands it would be too large for the broker, and routing would hear of no further one."""


async def room(tx: AsyncConnection, leave: Permit, actors: Iterable[str]) -> None:
    """Refuse actors (kind:id) with which the permit's case would exclude more than EXCLUSIONS. The caller has locked it. Rejected."""
    sql = "SELECT lower(kind) || ':' || actor AS who FROM intake.exclusion WHERE case_id = :case"
    there, new = {row.who for row in await rows(tx, sql, {"case": leave.case_id})}, set(actors)
    if not new <= there and len(there | new) > EXCLUSIONS:
        hint = f"a case excludes at most {EXCLUSIONS}: name an agency instead of its people, or ask the case's desk"
        raise Rejected("out-of-range", "excludes", hint)


def forbidden(what: str) -> Rejected:
    """Return the refusal for an agency that may see the case but not do this."""
    return Rejected("not-yours", "case_id", what, status=403)
