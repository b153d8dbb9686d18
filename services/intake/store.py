# ruff: noqa: S608 - only constants of this file are put together
"""SQL of what agencies and desks hold: offers, tasks, referrals, answers and the state of a case for each reader. The caller commits.

An agency reads only its own rows: for every other row these functions raise the same Rejected 404 as for a row that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.rules.context import UNCONFIRMED
from referral.errors import Rejected
from services.intake.model import Answer, Offer, Referral, Since, Task

_PATHWAY = "coalesce((SELECT t.pathway FROM intake.track t WHERE t.track_id = o.track_id), '') AS pathway"
_DRILL = "(SELECT c.drill FROM intake.casefile c WHERE c.case_id = o.case_id) AS drill"
_OFFER = ", ".join({"pathway": _PATHWAY, "drill": _DRILL}.get(name, name) for name in Offer.__struct_fields__)
_TASK = ", ".join(_PATHWAY if name == "pathway" else name for name in Task.__struct_fields__)
_REFERRAL = ", ".join(Referral.__struct_fields__)
NEVER = 2**63 - 1
"""A time after everything, µs UTC."""
ALONE_US = 30 * 60 * 1_000_000
"""Time for which an exclusion by one party hides what happens from then on from the holder of a duty (P): a desk is asked at once, again
after 15 minutes, and oversight after 30."""
SEEN_THEN = f"x.kind = 'AGENCY' AND x.actor = :agency AND x.proposal IS NOT NULL AND x.at > runtime.clock() - {ALONE_US}"
"""True for an exclusion x by one party alone, as of whose moment the reader's agency, which holds a duty, sees its case (decision 0071)."""
STANDS = "NOT EXISTS (SELECT FROM intake.erasure gone WHERE gone.case_id = o.case_id AND gone.approved_at IS NOT NULL)"
"""No entry point shows a case once its erasure is approved, although its rows are destroyed only after the log contains the entry."""


def unknown(what: str, where: str) -> Rejected:
    """Return the same refusal for a row that does not exist and for a row of another agency."""
    return Rejected(f"unknown-{what}", where, f"there is no such {what} for your agency", status=404)


def _reader(leave: Permit) -> dict[str, str | None]:
    """Return the parameters of statements that find rows of the permit's agency, and pass over cases that keep its person away."""
    return {"agency": leave.agency, "account": leave.account}


async def rows(tx: AsyncConnection, sql: str, values: Mapping[str, object]) -> Sequence[Any]:
    return (await tx.execute(text(sql), values)).all()


async def open_offers(tx: AsyncConnection, leave: Permit) -> tuple[Offer, ...]:
    """Return the open offers of an agency, the next limit first; offers without a limit last."""
    sql = (
        f"SELECT {_OFFER} FROM intake.offer o WHERE agency = :agency AND closed_at IS NULL AND {_MAY} AND {_THIS_ONE_MAY} "
        "ORDER BY due NULLS LAST, opened_at, offer_id"
    )
    return tuple(_offer(row) for row in await rows(tx, sql, _reader(leave)))


async def all_offers(tx: AsyncConnection, leave: Permit, limit: int = 200) -> tuple[Offer, ...]:
    """Return open and ended offers of an agency, the newest first."""
    sql = (
        f"SELECT {_OFFER} FROM intake.offer o WHERE agency = :agency AND {_MAY} AND {_THIS_ONE_MAY} "
        "ORDER BY opened_at DESC, offer_id LIMIT :limit"
    )
    return tuple(_offer(row) for row in await rows(tx, sql, {**_reader(leave), "limit": limit}))


async def offers_since(tx: AsyncConnection, leave: Permit, since: int) -> tuple[Offer, ...]:
    """Return the offers of an agency that are open or began after `since` (µs UTC), the newest first."""
    sql = (
        f"SELECT {_OFFER} FROM intake.offer o WHERE agency = :agency AND (closed_at IS NULL OR opened_at > :since) AND {_MAY} "
        f"AND {_THIS_ONE_MAY} ORDER BY opened_at DESC, offer_id"
    )
    return tuple(_offer(row) for row in await rows(tx, sql, {**_reader(leave), "since": since}))


async def desk_offers_since(tx: AsyncConnection, leave: Permit, since: int) -> tuple[Offer, ...]:
    """Return the offers, to any agency, in the cases of a desk: those that are open or began after `since` (µs UTC), the newest first."""
    sql = (
        f"SELECT {_OFFER} FROM intake.offer o WHERE case_id IN (SELECT c.case_id FROM intake.casefile c WHERE c.desk = :agency) "
        f"AND (closed_at IS NULL OR opened_at > :since) AND {_DESK_MAY} AND {_THIS_ONE_MAY} ORDER BY opened_at DESC, offer_id"
    )
    return tuple(_offer(row) for row in await rows(tx, sql, {**_reader(leave), "since": since}))


async def notices(tx: AsyncConnection, leave: Permit, role: str, most: int) -> tuple[Offer, ...]:
    """Return the newest notice in a role to an agency about each case that is open, the newest first. most: rows at most."""
    notice = "{0}.agency = :agency AND {0}.role = :role AND {0}.kind = 'NOTIFY' AND {0}.state <> 'CANCELLED'"
    sql = (
        f"SELECT {_OFFER} FROM intake.offer o WHERE {notice.format('o')} AND {_MAY} AND {_THIS_ONE_MAY} "
        "AND EXISTS (SELECT FROM intake.casefile c WHERE c.case_id = o.case_id AND c.closed_at IS NULL) "
        f"AND NOT EXISTS (SELECT FROM intake.offer n WHERE n.case_id = o.case_id AND {notice.format('n')} "
        "AND (n.opened_at > o.opened_at OR (n.opened_at = o.opened_at AND n.offer_id < o.offer_id))) "
        "ORDER BY opened_at DESC, offer_id LIMIT :most"
    )
    return tuple(_offer(row) for row in await rows(tx, sql, {**_reader(leave), "role": role, "most": most}))


async def offers_of(tx: AsyncConnection, leave: Permit, cases: Iterable[str]) -> tuple[Offer, ...]:
    """Return all offers of an agency in some cases, the newest first."""
    sql = (
        f"SELECT {_OFFER} FROM intake.offer o WHERE agency = :agency AND case_id = ANY(:cases) AND {_MAY} AND {_THIS_ONE_MAY} "
        "ORDER BY opened_at DESC, offer_id"
    )
    return tuple(_offer(row) for row in await rows(tx, sql, {**_reader(leave), "cases": sorted(cases)}))


async def cases_of(tx: AsyncConnection, leave: Permit) -> frozenset[str]:
    """Return every case of which an agency ever had an offer: ids alone, to find one by its number. `offers_of` says what may be seen."""
    sql = "SELECT DISTINCT case_id FROM intake.offer WHERE agency = :agency"
    return frozenset(row.case_id for row in await rows(tx, sql, {"agency": leave.agency}))


async def offer(tx: AsyncConnection, leave: Permit, offer_id: str) -> Offer:
    """Return an offer that the agency holds or ever held. Rejected 404: no such offer, another agency's, or the case excludes the agency
    or this person."""
    return await _one_offer(tx, leave, _MAY, offer_id)


async def answerable(tx: AsyncConnection, leave: Permit, offer_id: str) -> Offer:
    """Return an offer as `offer`, also where the case excludes the agency by now: what it says is passed on, so that the log has it, and
    routing ignores it."""
    return await _one_offer(tx, leave, STANDS, offer_id)


async def _one_offer(tx: AsyncConnection, leave: Permit, condition: str, offer_id: str) -> Offer:
    sql = f"SELECT {_OFFER} FROM intake.offer o WHERE offer_id = :id AND agency = :agency AND {condition} AND {_THIS_ONE_MAY}"
    matches = await rows(tx, sql, {"id": offer_id, **_reader(leave)})
    if not matches:
        raise unknown("offer", "offer_id")
    return _offer(matches[0])


async def calls(tx: AsyncConnection, leave: Permit) -> tuple[Offer, ...]:
    """Return the open offers and notices, in the cases of this desk, to agencies that are reached by telephone: the desk calls, and records
    the answer."""
    sql = (
        f"SELECT {_OFFER} FROM intake.offer o WHERE reach = 'PHONE' AND closed_at IS NULL AND {_AT_DESK} "
        f"AND {_DESK_MAY} AND {_THIS_ONE_MAY} "
        "ORDER BY due NULLS LAST, opened_at, offer_id"
    )
    return tuple(_offer(row) for row in await rows(tx, sql, _reader(leave)))


async def call(tx: AsyncConnection, leave: Permit, offer_id: str) -> Offer:
    """Return an offer whose answer this desk may record. Rejected 404: any other offer."""
    sql = f"SELECT {_OFFER} FROM intake.offer o WHERE offer_id = :id AND reach = 'PHONE' AND {_AT_DESK} AND {_DESK_MAY} AND {_THIS_ONE_MAY}"
    matches = await rows(tx, sql, {"id": offer_id, **_reader(leave)})
    if not matches:
        raise unknown("offer", "offer_id")
    return _offer(matches[0])


async def desk_tasks(tx: AsyncConnection, leave: Permit) -> tuple[Task, ...]:
    """Return the open tasks of a desk, the oldest first, without those to confirm a referral that nobody vouches for."""
    sql = f"SELECT {_TASK} FROM intake.task o WHERE {_OPEN_AT_DESK} AND about <> :about ORDER BY opened_at, task_id"
    return tuple(Task(**row._mapping) for row in await rows(tx, sql, {**_reader(leave), "about": UNCONFIRMED}))


LISTED = 5_000
"""Referrals to confirm that a page knows at once (ours): the facts of all are opened to sort them, which takes a quarter of a second.
Others follow when these are answered."""


async def to_confirm(tx: AsyncConnection, leave: Permit) -> tuple[Task, ...]:
    """Return a desk's open tasks to confirm a referral that nobody vouches for: at most LISTED, those that climb next first."""
    sql = f"SELECT {_TASK} FROM intake.task o WHERE {_OPEN_AT_DESK} AND about = :about ORDER BY due, opened_at, task_id LIMIT :most"
    found = await rows(tx, sql, {**_reader(leave), "about": UNCONFIRMED, "most": LISTED})
    return tuple(Task(**row._mapping) for row in found)


async def count_to_confirm(tx: AsyncConnection, leave: Permit) -> tuple[int, int]:
    """Return how many of them there are, and since when the oldest waits, µs UTC; (0, 0) for none."""
    sql = f"SELECT count(*), coalesce(min(opened_at), 0) FROM intake.task o WHERE {_OPEN_AT_DESK} AND about = :about"
    [(number, oldest)] = await rows(tx, sql, {**_reader(leave), "about": UNCONFIRMED})
    return number, oldest


async def task(tx: AsyncConnection, leave: Permit, task_id: str) -> Task:
    """Return one task of a desk, open or settled. Rejected 404: any other task."""
    sql = f"SELECT {_TASK} FROM intake.task o WHERE task_id = :id AND desk = :agency AND {_DESK_MAY} AND {_THIS_ONE_MAY}"
    matches = await rows(tx, sql, {"id": task_id, **_reader(leave)})
    if not matches:
        raise unknown("task", "task_id")
    return Task(**matches[0]._mapping)


async def referral(tx: AsyncConnection, leave: Permit, referral_id: str) -> Referral:
    """Return a referral that this agency sent. The caller asks for the permit of its case. Rejected 404: any other referral."""
    sql = f"SELECT {_REFERRAL} FROM intake.referral o WHERE referral_id = :id AND agency = :agency AND {STANDS}"
    matches = await rows(tx, sql, {"id": referral_id, "agency": leave.agency})
    if not matches:
        raise unknown("referral", "referral_id")
    return Referral(**matches[0]._mapping)


async def sent(tx: AsyncConnection, leave: Permit, referral_id: str) -> tuple[str, str]:
    """Return the ids of the case and of the event of a referral that this agency sent, also where the case excludes it: its receipt names
    both. Rejected 404: any other referral."""
    sql = f"SELECT case_id, event_id FROM intake.referral o WHERE referral_id = :id AND agency = :agency AND {STANDS}"
    matches = await rows(tx, sql, {"id": referral_id, "agency": leave.agency})
    if not matches:
        raise unknown("referral", "referral_id")
    return str(matches[0].case_id), str(matches[0].event_id)


_ANSWERED = text(
    "INSERT INTO intake.answer (decided_id, case_id, offer_id, account, word, at) "
    "VALUES (:decided, :case_id, :offer_id, :account, :word, :at) ON CONFLICT DO NOTHING"
)


async def answered(tx: AsyncConnection, leave: Permit, decided: str, *, offer_id: str, word: str, at: int) -> None:
    """Store an answer to an offer, or the instruction of a task's page (offer_id: of the task). decided: id of the event with which routing
    will decide about it."""
    values = {"case_id": leave.case_id, "account": leave.account, "offer_id": offer_id, "word": word, "at": at}
    await tx.execute(_ANSWERED, {"decided": decided, **values})


async def became(tx: AsyncConnection, leave: Permit, decided: str) -> tuple[str, str]:
    """Return what became of the answer that is decided by this event, RECEIVED, COUNTED or IGNORED, and why it was ignored.

    Both empty: there is no such answer.
    """
    sql = "SELECT became FROM intake.answer WHERE decided_id = :id AND case_id = :case"
    for row in await rows(tx, sql, {"id": decided, "case": leave.case_id}):
        return ("RECEIVED" if row.became is None else "IGNORED" if row.became else "COUNTED"), row.became or ""
    return "", ""


async def answers(tx: AsyncConnection, leave: Permit, offer_id: str) -> tuple[Answer, ...]:
    """Return every answer to an offer, the oldest first. People of other agencies than the reader's are named by their agency alone."""
    sql = (
        "SELECT a.word, a.at, a.became, coalesce(CASE WHEN who.agency = :reader THEN who.login END, '') AS login, "
        "coalesce(CASE WHEN who.agency <> :reader THEN who.agency END, '') AS agency FROM intake.answer a "
        "LEFT JOIN intake.account who ON who.id = a.account WHERE a.offer_id = :id ORDER BY a.at, a.decided_id"
    )
    return tuple(Answer(**row._mapping) for row in await rows(tx, sql, {"id": offer_id, "reader": leave.agency}))


_HOLDER = (
    "SELECT DISTINCT ON (a.offer_id) a.offer_id, who.login FROM intake.answer a JOIN intake.offer o ON o.offer_id = a.offer_id "
    "JOIN intake.account who ON who.id = a.account AND who.agency = o.agency WHERE a.offer_id = ANY(CAST(:ids AS text[])) "
    "AND a.became = '' ORDER BY a.offer_id, a.at DESC, a.decided_id DESC"
)


async def holders(tx: AsyncConnection, leave: Permit, offer_ids: Iterable[str]) -> dict[str, str]:
    """Return offer id → login of the agency's own person whose answer to it took effect last. A desk that answered for it is not named."""
    found = await rows(tx, _HOLDER, {"ids": sorted(set(offer_ids))})
    return {row[0]: row[1] for row in found}


async def since(tx: AsyncConnection, leave: Permit, first: int, last: int) -> Since:
    """Return what was asked in the permit's case from `first` to `last` (µs UTC): offers to any agency, and whether a desk has a new
    task."""
    at = {"case": leave.case_id, "first": first, "last": last}
    offers = (
        "SELECT step, state FROM intake.offer WHERE case_id = :case AND opened_at BETWEEN :first AND :last ORDER BY opened_at, offer_id"
    )
    tasks = "SELECT 1 FROM intake.task WHERE case_id = :case AND opened_at BETWEEN :first AND :last LIMIT 1"
    return Since(tuple((step, state) for step, state in await rows(tx, offers, at)), bool(await rows(tx, tasks, at)))


async def is_last_part(tx: AsyncConnection, leave: Permit, offer_id: str, until: int = NEVER) -> bool:
    """Return whether nothing of the permit's case was open then (µs UTC) beside this offer: no other part of any agency, and no task of a
    desk."""
    open_ = "case_id = :case AND opened_at <= :until AND (closed_at IS NULL OR closed_at > :until)"
    sql = (
        f"SELECT NOT EXISTS (SELECT FROM intake.offer WHERE {open_} AND kind <> 'NOTIFY' AND offer_id <> :id) "
        f"AND NOT EXISTS (SELECT FROM intake.task WHERE {open_})"
    )
    return bool((await rows(tx, sql, {"case": leave.case_id, "id": offer_id, "until": until}))[0][0])


async def case_offers(tx: AsyncConnection, leave: Permit) -> tuple[Offer, ...]:
    """Return every offer of the permit's case, of all agencies: to derive the state of the case, and for its desk."""
    sql = f"SELECT {_OFFER} FROM intake.offer o WHERE case_id = :case ORDER BY opened_at, offer_id"
    return tuple(_offer(row) for row in await rows(tx, sql, {"case": leave.case_id}))


async def case_referrals(tx: AsyncConnection, leave: Permit) -> tuple[Referral, ...]:
    sql = f"SELECT {_REFERRAL} FROM intake.referral WHERE case_id = :case ORDER BY received_at, referral_id"
    return tuple(Referral(**row._mapping) for row in await rows(tx, sql, {"case": leave.case_id}))


async def case_tasks(tx: AsyncConnection, leave: Permit) -> tuple[Task, ...]:
    """Return the open and settled tasks of the reader's desk for the permit's case."""
    sql = f"SELECT {_TASK} FROM intake.task o WHERE case_id = :case AND desk = :desk ORDER BY opened_at, task_id"
    return tuple(Task(**row._mapping) for row in await rows(tx, sql, {"case": leave.case_id, "desk": leave.agency}))


async def open_about(tx: AsyncConnection, leave: Permit, until: int) -> tuple[str, ...]:
    """Return the subjects (`about`) of the tasks of a case, at any desk, that were open then (µs UTC)."""
    sql = (
        "SELECT DISTINCT about FROM intake.task WHERE case_id = :case AND opened_at <= :until "
        "AND (closed_at IS NULL OR closed_at > :until) ORDER BY about"
    )
    return tuple(row[0] for row in await rows(tx, sql, {"case": leave.case_id, "until": until}))


class DrillCase(Struct, frozen=True, kw_only=True):
    """A case that is an exercise. exercise: id of its exercise. story, municipality, account: empty where no page started it. account: of
    the person who did. agency: its sender."""

    case_id: str
    exercise: str
    story: str
    municipality: str
    account: str
    agency: str
    opened_at: int
    closed_at: int | None


async def drill_cases(
    tx: AsyncConnection, leave: Permit, desks: Iterable[str], since: int, most: int, exercise: str | None = None
) -> tuple[DrillCase, ...]:
    """Return the cases of exercises that an agency has sent or was asked in, and of those of these desks.

    since: µs UTC; older cases are left out.
    most: exercises, each with all its cases: open ones first, then the newest.
    exercise: of this one alone; None: of all.
    """
    sender = "(SELECT r.agency FROM intake.referral r WHERE r.case_id = o.case_id ORDER BY r.received_at LIMIT 1)"
    sql = (
        "WITH seen AS (SELECT o.case_id, coalesce(x.exercise, o.case_id) AS exercise, coalesce(x.story, '') AS story, "
        "coalesce(x.municipality, '') AS municipality, coalesce(x.account, '') AS account, "
        f"coalesce(x.agency, {sender}, '') AS agency, o.opened_at, o.closed_at "
        "FROM intake.casefile o LEFT JOIN intake.exercise x ON x.case_id = o.case_id WHERE o.drill AND o.opened_at > :since "
        "AND coalesce(CAST(:exercise AS text), x.exercise, o.case_id) = coalesce(x.exercise, o.case_id) AND ("
        "EXISTS (SELECT FROM intake.offer a WHERE a.case_id = o.case_id AND a.agency = :agency) "
        "OR EXISTS (SELECT FROM intake.referral r WHERE r.case_id = o.case_id AND r.agency = :agency) "
        f"OR o.desk = ANY(CAST(:desks AS text[]))) AND {_MAY} AND {_THIS_ONE_MAY}), "
        "first AS (SELECT exercise, bool_or(closed_at IS NULL) AS open, max(opened_at) AS newest FROM seen GROUP BY exercise "
        "ORDER BY open DESC, newest DESC, exercise LIMIT :most) "
        "SELECT seen.* FROM seen JOIN first USING (exercise) ORDER BY open DESC, newest DESC, exercise, opened_at DESC, case_id"
    )
    values = {**_reader(leave), "desks": sorted(desks), "since": since, "most": most, "exercise": exercise}
    return tuple(DrillCase(**row._mapping) for row in await rows(tx, sql, values))


async def pathways(tx: AsyncConnection, leave: Permit, until: int = NEVER) -> tuple[str, ...]:
    """Return the pathways that ran or had run for a case then (µs UTC)."""
    sql = "SELECT DISTINCT pathway FROM intake.track WHERE case_id = :case AND at <= :until"
    return tuple(row[0] for row in await rows(tx, sql, {"case": leave.case_id, "until": until}))


async def awaits_confirmation(tx: AsyncConnection, leave: Permit) -> bool:
    """Return whether a desk has still to confirm the permit's case."""
    sql = "SELECT EXISTS (SELECT FROM intake.task WHERE case_id = :case AND about = :about AND closed_at IS NULL)"
    return bool((await rows(tx, sql, {"case": leave.case_id, "about": UNCONFIRMED}))[0][0])


async def deciding(tx: AsyncConnection, leave: Permit, track_id: str) -> str:
    """Return the id of the open offer of a track in which the permit's agency decides; empty where there is none."""
    sql = (
        "SELECT offer_id FROM intake.offer WHERE track_id = :track AND case_id = :case AND agency = :agency AND kind = 'DECIDE' "
        "AND closed_at IS NULL ORDER BY opened_at LIMIT 1"
    )
    found = await rows(tx, sql, {"track": track_id, "case": leave.case_id, "agency": leave.agency})
    return str(found[0][0]) if found else ""


async def looking(tx: AsyncConnection, leave: Permit, pathways: Iterable[str]) -> tuple[tuple[str, str, str, int], ...]:
    """Return (step, agency, state, when it changed) of the offers of these pathways in the permit's case, in order."""
    sql = (
        "SELECT o.step, o.agency, o.state, o.changed_at FROM intake.offer o JOIN intake.track t USING (track_id) "
        "WHERE o.case_id = :case AND t.pathway = ANY(CAST(:pathways AS text[])) ORDER BY o.opened_at, o.offer_id"
    )
    found = await rows(tx, sql, {"case": leave.case_id, "pathways": sorted(pathways)})
    return tuple((step, agency, state, at) for step, agency, state, at in found)


async def happenings(tx: AsyncConnection, leave: Permit, until: int = NEVER) -> tuple[tuple[int, int, bytes], ...]:
    """Return (seq, at, sealed line) of a case's timeline until then (µs UTC), in order."""
    sql = "SELECT seq, at, sealed FROM intake.happening WHERE case_id = :case AND at <= :until ORDER BY seq"
    found = await rows(tx, sql, {"case": leave.case_id, "until": until})
    return tuple((seq, at, bytes(sealed)) for seq, at, sealed in found)


# True for a reader whom the case does not exclude, by agency and by account (NULL: an agency's system, which has no account).
_MAY = (
    "NOT EXISTS (SELECT FROM intake.exclusion x WHERE x.case_id = o.case_id AND x.kind = 'AGENCY' AND x.actor = :agency "
    f"AND x.proposal IS NULL) AND {STANDS}"  # one party alone does not blind the holder of a duty
)
# The same of an exclusion by one party too: a desk keeps away at once, with its tasks and what it sees of others.
_DESK_MAY = (
    f"NOT EXISTS (SELECT FROM intake.exclusion x WHERE x.case_id = o.case_id AND x.kind = 'AGENCY' AND x.actor = :agency) AND {STANDS}"
)
_THIS_ONE_MAY = (
    "NOT EXISTS (SELECT FROM intake.exclusion x WHERE x.case_id = o.case_id AND x.kind = 'STAFF' AND x.actor = CAST(:account AS text)) "
    f"AND {STANDS}"
)
_OPEN_AT_DESK = f"desk = :agency AND closed_at IS NULL AND {_DESK_MAY} AND {_THIS_ONE_MAY}"
# True for a desk of the case: the desk of its municipality, and every desk that has an open task of it.
_AT_DESK = (
    "(EXISTS (SELECT FROM intake.casefile c WHERE c.case_id = o.case_id AND c.desk = :agency) "
    "OR EXISTS (SELECT FROM intake.task t WHERE t.case_id = o.case_id AND t.desk = :agency AND t.closed_at IS NULL))"
)


def _offer(row: Any) -> Offer:
    return msgspec.convert(dict(row._mapping), Offer)
