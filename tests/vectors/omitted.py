"""Short logs in which routing decides upon false facts, or a service leaves something undone: the findings of sections 15.3 and 15.6.

Who lies has its true key, so each signature holds. Beside the lies about single decisions they make the vector file of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import count
from typing import Any

from msgspec import structs

from referral.domain.case import next_due
from referral.domain.decide import facts_for
from referral.domain.durations import MINUTE_US
from referral.domain.events import Facts, Instruction, KnockSent, NeedsPerson, PolicyActivated, Quarantined
from referral.domain.inputs import Input, RecordLost, derived, due_input, lost_input
from referral.domain.policy import Policy, compile
from referral.proof.entry import Kind
from referral.wire import topics
from services.routing import engine_failure
from tests.harness.made_child import ordered
from tests.vectors.exports import act, refer
from tests.vectors.form import VectorFile, good
from tests.vectors.lies import CASE, LIES, Lie, again, answer, arrives, head, places, policy
from tests.vectors.line import END, Line, rules
from tests.vectors.signatures import bundle

LAST = END - 12 * MINUTE_US
"""The heartbeats begin here; nothing is decided later."""
TRUE = Lie(what="", finding="")


def _neighbour() -> str:
    """Return a case of the same partition."""
    made = (f"00000000-0000-4000-8000-{n:012}" for n in count(9000))
    return next(one for one in made if topics.partition(one) == topics.partition(CASE))


OTHER = _neighbour()


def desks(line: Line, case_id: str, events: Iterable[Any]) -> None:
    """The notifier knocks for a desk's tasks; `Line.decide` knocks for offers."""
    for event in events:
        if isinstance(event, NeedsPerson):
            about: dict[str, Any] = {"task_id": event.task_id, "rung": event.rung, "reference": derived(event.task_id, event.rung)}
            knock = KnockSent(channel="sms", again=0, at=line.now, person=derived(event.task_id, "person"), **about)
            line.publish(case_id, [knock], derived(event.task_id, f"knock:{line.now}"), "notifier")


def _passes(line: Line, *cases: str) -> None:
    """Routing acts on every limit of these cases, in order, and everybody is knocked."""
    while True:
        due, case_id = min((next_due(line.cases[one]) or END, one) for one in cases)
        if due > LAST:
            return
        line.now = max(line.now, due)
        desks(line, case_id, line.decide(due_input(case_id, due, line.cases[case_id].seq), places()).events)


def _refers(line: Line) -> None:
    line.now += MINUTE_US
    line.take(OTHER, structs.replace(refer(OTHER, line.now), signed=None), line.now, places())


def _forgotten(line: Line, cause: Input, lie: Lie) -> None:
    """Routing acts on later limits of the partition, and not on those of this case."""
    line.decide(cause, places())
    line.now = END - 29 * MINUTE_US
    _refers(line)
    _passes(line, OTHER)


def _all_forgotten(line: Line, cause: Input, lie: Lie) -> None:
    line.decide(cause, places())


def _not_called(line: Line, cause: Input, lie: Lie) -> None:
    """The notifier knocks for another case of the partition, and not for this one until its limit has passed."""
    answer(line, cause, lie)
    _refers(line)
    _passes(line, CASE, OTHER)


def _nobody_called(line: Line, cause: Input, lie: Lie) -> None:
    answer(line, cause, lie)
    _passes(line, CASE)


def _limit_instead(line: Line, cause: Input, lie: Lie) -> None:
    """Routing never answers the input, and acts on a limit of another case that passed after it came."""
    line.now = END - 29 * MINUTE_US
    _refers(line)
    _passes(line, OTHER)


def _due_early(line: Line, cause: Input, lie: Lie) -> None:
    """Routing answers, and a minute later takes a limit that is far away for passed, by its true clock."""
    answer(line, cause, lie)
    due = next_due(line.cases[CASE])
    assert due is not None and due > line.now + 3 * MINUTE_US
    line.now += MINUTE_US
    answer(line, due_input(CASE, due, line.cases[CASE].seq), lie)


def _called_lost(line: Line, cause: Input, seq: int, lie: Lie) -> None:
    lost = lost_input(CASE, RecordLost(topic=cause.source.topic, seq=seq, reason="gap"), cause.source)
    desks(line, CASE, answer(line, lost, lie))


def _lost(line: Line, cause: Input, lie: Lie) -> None:
    """Routing answers the input as lost."""
    _called_lost(line, cause, 2, lie)


def _lost_elsewhere(line: Line, cause: Input, lie: Lie) -> None:
    """Routing says that a sequence is lost that nobody has written, and answers the input."""
    _called_lost(line, cause, 9, lie)
    answer(line, cause, lie)


def _aside(line: Line, cause: Input) -> None:
    place = cause.source
    body = Quarantined(
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        reader="routing",
        reason="body",
        case_id=CASE,
        case_seq=2,
        at=line.now,
        nonce=bytes(12),
        sealed=bytes(16),
        length=0,
        sha256=None,
    )
    line.open_record(body, f"routing/{place.topic}/{place.partition}/{place.offset}", "routing")


def _set_aside(line: Line, cause: Input, lie: Lie) -> None:
    """Routing sets the input aside, though it is whole, and answers it as lost."""
    _aside(line, cause)
    _lost(line, cause, lie)


def _only_aside(line: Line, cause: Input, lie: Lie) -> None:
    _aside(line, cause)


@cache
def _second() -> PolicyActivated:
    """Return bundle 2: a remark more."""
    one = rules()
    path = "municipalities.yaml"
    return bundle(2, {**one.files, path: one.files[path] + b"# more\n"}, one.digest, at=0, valid_from=0)


@cache
def _rules() -> Policy:
    return compile(_second().files, policy())


def _activated(line: Line) -> None:
    body = structs.replace(_second(), at=line.now)
    line.open_record(body, "2", "routing")
    line.own(Kind.ADMINISTRATION, act("policy activate", line.now, ("policy:2", f"digest:{body.digest[:16]}")).encode())


def _by_second(line: Line, cause: Input) -> None:
    line.policy = _rules()
    answer(line, cause, structs.replace(TRUE, facts=lambda facts: structs.replace(facts, bundle=2)))
    line.policy = policy()


def _older(line: Line, cause: Input, lie: Lie) -> None:
    """Routing answers by bundle 2, and another input of the partition by bundle 1."""
    _activated(line)
    _by_second(line, cause)
    answer(line, again(line, cause), lie)


def _still_older(line: Line, cause: Input, lie: Lie) -> None:
    """Routing answers by bundle 1, minutes after the broker had bundle 2."""
    _activated(line)
    line.now += 3 * MINUTE_US
    answer(line, cause, lie)


def _too_early(line: Line, cause: Input, lie: Lie) -> None:
    """Routing answers by bundle 2, minutes before the broker had it."""
    _by_second(line, cause)
    line.now += 2 * MINUTE_US
    _activated(line)


def _older_engine(line: Line, cause: Input, lie: Lie) -> None:
    """A newer version of the rules ends the case, and over an hour later this one decides about another case."""
    close = arrives(line, ordered(Instruction.CLOSE, derived(CASE, "close"), line.now, derived(CASE, "desk")))
    line.decide(cause, places())
    answer(line, close, structs.replace(lie, events=lambda all: head(all, facts=structs.replace(all[0].head.facts, engine=99))))
    line.now = LAST - MINUTE_US
    _refers(line)


def _failed(line: Line, cause: Input, lie: Lie) -> None:
    """The rules fail, and routing asks the desk."""
    case = line.cases[CASE]
    facts = facts_for(case, cause, line.policy, line.now, lambda wanted: {one: places()[one] for one in wanted}, bundle=1)
    events = engine_failure.events(case, cause, facts, line.policy)
    line.publish(CASE, events, cause.id, "routing")
    desks(line, CASE, events)


def _less(facts: Facts) -> Facts:
    """Return the facts with a place less in one shelter."""
    one = next(one for one in sorted(facts.free) if facts.free[one])
    return structs.replace(facts, free={**facts.free, one: facts.free[one] - 1})


def _more(facts: Facts) -> Facts:
    one = min(facts.free)
    return structs.replace(facts, free={**facts.free, one: facts.free[one] + 1})


OMITTED: dict[str, Lie] = {
    "place-fewer": Lie(what="a shelter has a place less than it has", finding="FREE_FALSE", facts=_less),
    "place-more": Lie(what="a shelter has a place more than it has", finding="FREE_FALSE", facts=_more),
    "due-early": Lie(what="a limit that is minutes away has passed", finding="DUE_EARLY", after=_due_early),
    "bundle-older": Lie(what="by bundle 1, after bundle 2 was used", finding="BUNDLE_OLD", after=_older),
    "bundle-still-older": Lie(what="by bundle 1, minutes after bundle 2 came", finding="BUNDLE_OLD", exit_code=3, after=_still_older),
    "bundle-early": Lie(what="by bundle 2, minutes before it came", finding="BUNDLE_EARLY", exit_code=3, after=_too_early),
    "engine-older": Lie(
        what="by an older version of the rules than over an hour before",
        finding="ENGINE_OLD",
        exit_code=3,
        minutes=90,
        beside=frozenset({"OTHER_ENGINE"}),
        after=_older_engine,
    ),
    "engine-failed": Lie(what="the rules failed", finding="ENGINE_FAILED", exit_code=3, after=_failed),
    "limit-forgotten": Lie(what="a limit is forgotten, and a later one is not", finding="OVERDUE", minutes=45, after=_forgotten),
    "limits-forgotten": Lie(what="every limit is forgotten", finding="OVERDUE", exit_code=3, minutes=60, after=_all_forgotten),
    "limit-instead": Lie(
        what="an input is passed over, and a later limit is not",
        finding="NOT_DECIDED",
        minutes=45,
        beside=frozenset({"OVERDUE"}),
        after=_limit_instead,
    ),
    "set-aside": Lie(what="an input is set aside, and nobody answers it", finding="NOT_DECIDED", exit_code=3, after=_only_aside),
    "lost-whole": Lie(what="a record that is there is called lost", finding="LOST_FALSE", after=_lost),
    "lost-never": Lie(what="a record that never was is called lost", finding="LOST_FALSE", after=_lost_elsewhere),
    "lost-aside": Lie(what="a whole record is set aside and called lost", finding="LOST_UNPROVEN", exit_code=3, after=_set_aside),
    "not-called": Lie(what="nobody is called, and others are", finding="NOT_KNOCKED", minutes=50, after=_not_called),
    "nobody-called": Lie(what="nobody is called any more", finding="NOT_KNOCKED", exit_code=3, minutes=50, after=_nobody_called),
}
"""Name → lie."""
EVERY = LIES | OMITTED


def lies() -> VectorFile:
    """Return which lies the command writes, with the finding of each."""
    return VectorFile("15", [good(name, what=lie.what, finding=lie.finding, exit_code=lie.exit_code) for name, lie in EVERY.items()])
