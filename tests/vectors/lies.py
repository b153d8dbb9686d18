"""Short logs in which routing, with its true key, decides what it should not: each signature holds, and whoever decides again finds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from msgspec import Struct, structs

from referral.domain.case import next_due, open_offers
from referral.domain.decide import decided, facts_for
from referral.domain.durations import HOUR_US, MINUTE_US
from referral.domain.events import Facts, InputIgnored, OfferOpened, Passed, ResponseSubmitted, RungReached, Why, Word
from referral.domain.inputs import Input, derived, due_input, record_input
from referral.domain.policy import Policy, compile
from tests.harness.audit_log import response
from tests.vectors.exports import beats, begun, refer
from tests.vectors.line import END, Line, rules

CASE = "00000000-0000-4000-8000-000000000081"


@cache
def policy() -> Policy:
    return compile(rules().files)


class Lie(Struct, frozen=True, kw_only=True):
    """A decision that is not what the rules lead to. Each part is told as it should be, unless it is given here.

    facts, events, cause: what routing makes of the true ones. ids: of the events, from the true ones. minutes: before the end, the case
    is referred. beside: findings that the lie brings with it.
    """

    what: str
    finding: str
    exit_code: int = 1
    minutes: int = 20
    beside: frozenset[str] = frozenset()
    facts: Callable[[Facts], Facts] = lambda facts: facts
    events: Callable[[Sequence[Any]], Sequence[Any]] = lambda events: events
    cause: Callable[[str], str] = lambda cause: cause
    ids: Callable[[list[str]], list[str]] = lambda ids: ids
    after: Callable[[Line, Input, Lie], None] | None = None
    """What follows in the place of the lie's own answer."""


def told(lie: Lie) -> Line:
    """Return a log with one case, whose police accept, and routing lies in its answer to that."""
    line = begun(Line(policy=policy()))
    line.now = END - lie.minutes * MINUTE_US
    asked = line.take(CASE, structs.replace(refer(CASE, line.now), signed=None), line.now, places())
    offer = next(event for event in asked.events if isinstance(event, OfferOpened))
    line.now += MINUTE_US
    cause = arrives(line, response(offer, Word.ACCEPT, "lie"))
    (lie.after or answer)(line, cause, lie)
    line.now = max(line.now, END - 12 * MINUTE_US)
    beats(line, 12)
    return line


def arrives(line: Line, body: Any, source: str = "intake", case_id: str = CASE) -> Input:
    """A record reaches routing."""
    ((meta, place),) = line.publish(case_id, [body], derived(case_id, f"in:{len(line.entries)}"), source)
    return record_input(meta, body, place)


def places() -> dict[str, int]:
    return {service.id: service.places or 0 for service in policy().services.values()}


def answer(line: Line, cause: Input, lie: Lie) -> Sequence[Any]:
    """Routing answers as the lie says. Return its events."""
    case = line.cases[cause.case_id]
    true = facts_for(case, cause, line.policy, line.now, lambda wanted: {one: places()[one] for one in wanted}, bundle=1)
    decision = decided(case, cause, lie.facts(true), line.policy)
    events, cause_id = lie.events(decision.events), lie.cause(cause.id)
    line.publish(cause.case_id, events, cause_id, "routing", ids=lie.ids([derived(cause_id, n) for n in range(len(events))]))
    line.cases[cause.case_id] = decision.case
    return events


def again(line: Line, cause: Input) -> Input:
    """The same agency sends another word a minute later."""
    assert isinstance(cause.body, ResponseSubmitted)
    line.now += MINUTE_US
    return arrives(line, structs.replace(cause.body, response_id=derived(CASE, "again")))


def _passed_over(line: Line, cause: Input, lie: Lie) -> None:
    """The same agency sends another word, and routing answers that alone."""
    answer(line, again(line, cause), lie)


def unanswered(line: Line, cause: Input, lie: Lie) -> None:
    pass


def _twice(line: Line, cause: Input, lie: Lie) -> None:
    """Routing answers, answers another word of the agency, and answers the first one again."""
    answer(line, cause, lie)
    _passed_over(line, cause, lie)
    line.now += MINUTE_US
    answer(line, cause, structs.replace(lie, ids=lambda ids: [derived(one, "again") for one in ids]))


def _said_reached(line: Line, cause: Input, lie: Lie) -> None:
    """Routing answers, and the notifier says that a message has arrived, where it has sent none."""
    answer(line, cause, lie)
    offer = open_offers(line.cases[CASE])[-1]
    answer(line, arrives(line, RungReached(offer_id=offer.offer_id, rung=offer.rung, at=line.now), "notifier"), lie)


def _early(line: Line, cause: Input, lie: Lie) -> None:
    """Routing answers, and then lets a limit pass that is minutes away."""
    answer(line, cause, lie)
    due = next_due(line.cases[CASE])
    assert due is not None and due > line.now + 2 * MINUTE_US
    line.now += MINUTE_US
    alarm = due_input(CASE, due, line.cases[CASE].seq)
    answer(line, alarm, structs.replace(lie, facts=lambda facts: structs.replace(facts, now=due)))


def _first(events: Sequence[Any], change: Callable[[Any], Any]) -> Sequence[Any]:
    """Return the events with the first offer changed."""
    place = next(n for n, event in enumerate(events) if isinstance(event, OfferOpened))
    return [*events[:place], change(events[place]), *events[place + 1 :]]


def head(events: Sequence[Any], **other: Any) -> Sequence[Any]:
    return [structs.replace(events[0], head=structs.replace(events[0].head, **other)), *events[1:]]


def _full(offer: Any) -> Any:
    return structs.replace(offer, why=structs.replace(offer.why, passed=(Passed(service="shelter-linden", reason="NO_CAPACITY"),)))


_WHY = Why(rule="ignored", procedure="", directory="", engine=4, passed=())
LIES: dict[str, Lie] = {
    "now-ahead": Lie(
        what="limits are judged two hours ahead", finding="DECIDED_AT", facts=lambda f: structs.replace(f, now=f.now + 2 * HOUR_US)
    ),
    "now-behind": Lie(
        what="limits are judged two hours ago", finding="DECIDED_AT", facts=lambda f: structs.replace(f, now=f.now - 2 * HOUR_US)
    ),
    "limit-early": Lie(what="a limit passes minutes before its time", finding="DECIDED_AT", after=_early),
    "no-bundle": Lie(what="by a bundle that the log does not hold", finding="POLICY_MISSING", facts=lambda f: structs.replace(f, bundle=2)),
    "fewer": Lie(what="the last event of an answer is left out", finding="DECISION_DIFFERS", events=lambda all: all[:-1]),
    "more": Lie(
        what="an event more",
        finding="DECISION_DIFFERS",
        events=lambda all: [*all, InputIgnored(why=_WHY, reason="NOTHING_CHANGED")],
    ),
    "another-agency": Lie(
        what="another agency is asked",
        finding="DECISION_DIFFERS",
        events=lambda all: _first(all, lambda offer: structs.replace(offer, agency="csw-peje", service="csw-peje")),
    ),
    "another-limit": Lie(
        what="the agency has an hour more",
        finding="DECISION_DIFFERS",
        events=lambda all: _first(all, lambda offer: structs.replace(offer, due=offer.due + HOUR_US)),
    ),
    "full": Lie(
        what="a shelter is said to be full that nobody would have asked",
        finding="DECISION_DIFFERS",
        events=lambda all: _first(all, _full),
    ),
    "passed-over": Lie(what="an input is passed over, and a later one answered", finding="NOT_DECIDED", after=_passed_over),
    "unanswered": Lie(what="an input is not answered for minutes", finding="NOT_DECIDED", exit_code=3, after=unanswered),
    "said-reached": Lie(what="a message that was never sent is said to have arrived", finding="NOT_KNOCKED", after=_said_reached),
    "twice": Lie(what="an input is answered twice", finding="DECIDED_TWICE", after=_twice),
    "another-cause": Lie(what="the answer names another cause", finding="CAUSE_DIFFERS", cause=lambda one: derived(one, "other")),
    "no-head": Lie(
        what="the answer does not say upon what",
        finding="HEAD_MISSING",
        events=lambda all: [structs.replace(all[0], head=None), *all[1:]],
    ),
    "another-id": Lie(what="an event has an id of its own", finding="EVENT_ID", ids=lambda ids: [*ids[:-1], derived(ids[-1], "other")]),
    "no-input": Lie(what="the input stands nowhere", finding="INPUT", events=lambda all: head(all, offset=4711)),
    "another-engine": Lie(
        what="by rules that nobody has",
        finding="OTHER_ENGINE",
        exit_code=3,
        events=lambda all: head(all, facts=structs.replace(all[0].head.facts, engine=99)),
    ),
}
"""Name → lie."""
