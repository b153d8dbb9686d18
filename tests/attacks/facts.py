"""Attacks by whoever has routing, or its tables: each decision follows from its facts, and the facts are false.

Who is blamed: the agency was, before `verify` held the facts against the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import structs

from referral.cli.admin.doctor import checks
from referral.cli.admin.doctor.facts import Facts
from referral.cli.admin.doctor.result import Result
from referral.domain.case import next_due
from referral.domain.events import Word
from referral.domain.inputs import due_input
from referral.domain.policy import ENGINE
from referral.proof.act import DIGITS, Act, State
from referral.proof.entry import Kind
from services.audit.ingest import Says, ingest
from services.routing.current_policy import Bundle
from tests.attacks.ground import Attack, Noticed, copy, verify
from tests.harness.audit_log import FILES, MINUTE, POLICY, Log, asked, response
from tests.harness.lying_log import LINDEN, SLOW, Lie, activate, ahead, begun, by_bundle, free, honest, placed
from tests.harness.policies import bundle

ROUTING = "routing"
SQL = "one SQL statement on routing's tables"
HOUR, MONTH = 60 * MINUTE, 30 * 24 * 60 * MINUTE


def judged(log: Log) -> Noticed:
    return {"verify": verify(copy(log.entries), keys=log.keys)}


def of_places(lie: Lie, *, before: bool = False) -> Noticed:
    """A child needs a shelter. before: another child has Linden's one bed."""
    log = begun()
    if before:
        placed(log, "first")
    placed(log, "child", lie)
    return judged(log)


def old_bundle() -> Noticed:
    """The police get 15 minutes instead of 20 for one child, two minutes after another child was decided by the new policy."""
    log = begun()
    activate(log)
    placed(log, "first")
    log.lie = by_bundle(1)
    asked(log, "child")
    return judged(log)


def retired_rules() -> Noticed:
    """Two hours after a child was decided by the rules of this release, another is decided by those that it replaced."""
    log = begun(None)  # its heartbeats would end long before the witnesses' time, which is a finding too
    asked(log, "first")
    log.now += 2 * HOUR
    log.lie = partial(structs.replace, engine=ENGINE - 1)
    asked(log, "child")
    return judged(log)


def taken_back() -> Noticed:
    """In the same second, between two decisions of one case."""
    log = begun()
    activate(log)
    case_id, police = asked(log, "child")
    log.lie = by_bundle(1)
    log.input(case_id, response(police, Word.ACCEPT, "child"), "police")
    return judged(log)


def two_hours() -> Noticed:
    """The police have until two hours later."""
    log = begun()
    log.lie = ahead(2 * HOUR)
    asked(log, "child")
    return judged(log)


def three_limits(lie: Lie) -> Noticed:
    """Two seconds after they were asked, the police's time is over; or the alarm comes, and nothing is over yet."""
    log = begun()
    case_id, _ = asked(log, "child")
    log.now += 2_000_000
    log.lie = lie
    case = log.cases[case_id]
    due = next_due(case)
    assert due is not None
    log.answer(due_input(case_id, due, case.seq))
    return judged(log)


def dated_back() -> Noticed:
    """What a person was told a month ago is shown otherwise."""
    log = begun()
    log.now += MONTH
    for number, files, at in ((1, FILES, log.now - MONTH), (2, SLOW, log.now)):
        about = (f"policy:{number}", f"digest:{bundle(number, files).digest[:DIGITS]}")
        act = Act(
            id=f"{number:032}", command="policy activate", state=State.DONE, by="operator/besa", at=at, arguments="0" * 64, about=about
        )
        log.entries += ingest([], log._known, [Says(Kind.ADMINISTRATION, act.encode())]).entries
    activate(log, at=log.now - MONTH)
    return judged(log)


def by_sql(capacity: int, held: int) -> Noticed:
    """A database administrator makes Linden full. Routing is honest: it decides by its table, and by the policy that two signed."""
    rows = {one: (places, 0) for one, places in POLICY.capacities().items()} | {LINDEN: (capacity, held)}
    found = checks.places(Facts(now=1, places=rows, capacities=dict(POLICY.capacities())))
    left = Bundle(number=1, policy=POLICY).free({one: row for one, (_, row) in rows.items()})[LINDEN]
    log = begun()
    placed(log, "child", free(linden=max(0, left)))
    return judged(log) | {"doctor": found.said if found.result is Result.BAD else ""}


def attacks() -> Iterator[Attack]:
    each: tuple[tuple[str, str, tuple[str, ...], str, Callable[[], Noticed]], ...] = (
        ("a free shelter is full (N3)", ROUTING, ("verify",), "routing", lambda: of_places(free(linden=0))),
        ("a full shelter is free", ROUTING, ("verify",), "routing", lambda: of_places(free(linden=1), before=True)),
        ("a shelter has more places than the policy says", ROUTING, ("verify",), "routing", lambda: of_places(free(linden=2))),
        ("the old policy for one child (N4)", ROUTING, ("verify",), "routing", old_bundle),
        ("the old policy for one decision of a case", ROUTING, ("verify",), "routing", taken_back),
        ("the rules of the release before for one child (N26)", ROUTING, ("verify",), "routing", retired_rules),
        ("the time is two hours later than it is (N10)", ROUTING, ("verify",), "routing", two_hours),
        ("limits are over two seconds after asking (N10b)", ROUTING, ("verify",), "routing", lambda: three_limits(ahead(2 * HOUR))),
        ("an alarm before it is due", ROUTING, ("verify",), "routing", lambda: three_limits(honest)),
        ("a policy is dated back a month (N23)", ROUTING, ("verify",), "routing", dated_back),
        ("a shelter is full by its row: held (N3b)", SQL, ("verify", "doctor"), "database administrator", lambda: by_sql(1, 1)),
        ("a shelter is full by its row: capacity (N3b)", SQL, ("doctor",), "", lambda: by_sql(0, 0)),
    )
    for what, power, must, blamed, run in each:
        yield Attack(what=what, power=power, must=must, blamed=blamed, run=run)
