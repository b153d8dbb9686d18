"""Start and end an exercise: made-up referrals that one agency sends together, and takes back together. The caller commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Act, Kind
from referral.domain.durations import DAY_US
from referral.domain.events import Door
from referral.errors import Rejected
from referral.exercise import stories
from referral.exercise.rules import WINDOW_US, Started
from referral.runtime.postgres import clock
from services.intake import store
from services.intake.accounts.store import Account
from services.intake.casefile import access
from services.intake.commands import accept_referrals, act_on_case, idempotency
from services.intake.commands.accept_referrals import Posting
from services.intake.commands.act_on_case import Post
from services.intake.context import IntakeContext
from services.intake.messages import submission
from services.intake.messages.responses import WithdrawalBody

KEPT_US = 400 * DAY_US
"""Time for which the page lists exercises (ours): a year, and the month in which it is looked back on."""
SHOWN = 50
"""Most exercises that the page lists (ours): those that are open, then the newest. Each has a page of its own as long as it is kept."""
_ALONE = text("LOCK TABLE intake.exercise IN SHARE ROW EXCLUSIVE MODE")
_ADD = text(
    "INSERT INTO intake.exercise (case_id, exercise, story, municipality, agency, account, at)"
    " VALUES (:case_id, :exercise, :story, :municipality, :agency, :account, :at) ON CONFLICT DO NOTHING"
)
_STARTED = text(
    "SELECT x.municipality, min(x.at) AS at, bool_and(c.closed_at IS NOT NULL) AS ended FROM intake.exercise x"
    " JOIN intake.casefile c USING (case_id) GROUP BY x.exercise, x.municipality "
    " HAVING min(x.at) > :since OR bool_or(c.closed_at IS NULL)"
)
_OURS = "SELECT referral_id FROM intake.referral WHERE case_id = :case AND agency = :agency ORDER BY received_at LIMIT 1"


class Case(Struct, frozen=True, kw_only=True):
    """A case of an exercise. story: its name; empty where a command or system has sent it. closed_at: µs UTC."""

    case_id: str
    story: str
    closed_at: int | None


class Exercise(Struct, frozen=True, kw_only=True):
    """One exercise, as far as its reader may see it. id: of its first case. began: µs UTC.

    municipality, agency, account: empty where a command or system has sent it. account: of the person who has started it.
    ours: the reader's agency has sent it.
    """

    id: str
    municipality: str
    agency: str
    account: str
    began: int
    ours: bool
    cases: tuple[Case, ...]

    @property
    def is_open(self) -> bool:
        """Return whether one of its cases is open."""
        return any(case.closed_at is None for case in self.cases)


async def start(
    tx: AsyncConnection,
    door: IntakeContext,
    who: Account,
    name: str,
    municipality: str,
    key: str,
    *,
    refusal: Callable[[Iterable[Started]], str],
) -> tuple[str, str]:
    """Start an exercise and return its id, or why it is refused, as (id, reason).

    name: of a story, or EVERY. key: of the form; a repeated one starts nothing, and returns the same id. refusal: the rules.
    """
    leave = _leave(who, Act.START_EXERCISE)
    await tx.execute(_ALONE)  # two heads at once: the second sees the exercise of the first
    digests = [idempotency.form_digest(door.keys, who.agency, who.id, f"{key}-{story}") for story in stories.chosen(name)]
    known = await idempotency.taken(tx, who.agency, digests[0])
    if known is not None:
        return known.case_id, ""
    if reason := refusal(await started(tx, leave)):
        return "", reason
    lists, names = door.lists(), stories.chosen(name)
    bodies = [msgspec.json.encode(stories.body(story, municipality)) for story in names]
    postings = [
        Posting(agency=who.agency, key=digest, door=Door.WEB, referral=submission.submission(body, lists))
        for digest, body in zip(digests, bodies, strict=True)
    ]
    receipts = []
    for receipt in await accept_referrals.accept(tx, door, lists, postings):
        if isinstance(receipt, Rejected):
            raise receipt
        receipts.append(receipt)
    shared = {"exercise": receipts[0].case_id, "municipality": municipality, "agency": who.agency, "account": who.id}
    rows = [{**shared, "case_id": one.case_id, "story": story, "at": one.received_at} for story, one in zip(names, receipts, strict=True)]
    await tx.execute(_ADD, rows)
    return receipts[0].case_id, ""


async def end(tx: AsyncConnection, door: IntakeContext, who: Account, exercise: Exercise, key: str) -> None:
    """End the open cases of an exercise that the reader's agency has sent.

    key: of the form; a repeated one changes nothing. A case that a desk has reopened since is ended by the next form.
    """
    _leave(who, Act.END_EXERCISE)
    for case in sorted(exercise.cases, key=lambda case: case.case_id):  # every transaction locks cases in this order
        sent = await store.rows(tx, _OURS, {"case": case.case_id, "agency": who.agency})
        if sent and case.closed_at is None:
            digest = idempotency.form_digest(door.keys, who.agency, who.id, f"{key} {case.case_id}")
            post = Post(kind=Kind.STAFF, agency=who.agency, account=who.id, key=digest)
            await act_on_case.withdraw(tx, door, post, sent[0][0], WithdrawalBody(reason=stories.EXERCISE_OVER))


def _leave(who: Account, act: Act) -> Permit:
    """Return the permit of a head, or of a person of a coordinator, as whom the pages of exercises know every reader."""
    return access.without_case(Who(Kind.HEAD if who.head else Kind.COORDINATOR, who.agency, who.id), act)


async def past(tx: AsyncConnection, who: Account) -> Sequence[Started]:
    """Return the exercises that people have started lately, and those that are open, for the page that lists them."""
    return await started(tx, _leave(who, Act.SEE_EXERCISES))


async def started(tx: AsyncConnection, leave: Permit) -> Sequence[Started]:
    """Return the exercises that people have started lately, and those that are open."""
    rows = await tx.execute(_STARTED, {"since": await clock.now(tx) - WINDOW_US})
    return [Started(row.municipality, row.at, row.ended) for row in rows]


async def visible(tx: AsyncConnection, who: Account, desks: Iterable[str], now: int) -> tuple[Exercise, ...]:
    """Return the exercises that an agency has sent or was asked in, and those of the municipalities of these desks: at most SHOWN, open
    ones first, then the newest. Each has all of its cases that the reader may see."""
    return _exercises(who, await store.drill_cases(tx, _leave(who, Act.SEE_EXERCISES), desks, now - KEPT_US, SHOWN))


async def one(tx: AsyncConnection, who: Account, desks: Iterable[str], now: int, id: str) -> Exercise | None:
    """Return an exercise that the reader may see, however many are newer. None: there is none."""
    return next(iter(_exercises(who, await store.drill_cases(tx, _leave(who, Act.SEE_EXERCISES), desks, now - KEPT_US, 1, id))), None)


def _exercises(who: Account, cases: Iterable[store.DrillCase]) -> tuple[Exercise, ...]:
    found: dict[str, list[store.DrillCase]] = {}
    for row in cases:
        found.setdefault(row.exercise, []).append(row)
    return tuple(
        Exercise(
            id=id,
            municipality=rows[0].municipality,
            agency=rows[0].agency,
            account=rows[0].account,
            began=min(row.opened_at for row in rows),
            ours=rows[0].agency == who.agency,
            cases=tuple(Case(case_id=row.case_id, story=row.story, closed_at=row.closed_at) for row in rows),
        )
        for id, rows in found.items()
    )
