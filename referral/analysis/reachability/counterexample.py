"""Write a way of the model check as a story file, in the format of tests/stories: each input on a line, then its events. The story runner
can run it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from uuid import UUID

from msgspec import Struct

from referral.analysis.reachability.classes import USUAL
from referral.analysis.reachability.walk import Way, inputs
from referral.analysis.reachability.world import START, Decided, Fault, Given
from referral.domain import events as e
from referral.domain.case import Case, seats
from referral.domain.describe import describe
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from referral.domain.inputs import Due
from referral.domain.policy import Policy

LINES = 40
"""Lines of a story (ours): enough for a reader to see a circle."""
UNITS = ((DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "min"))


class StoryLine(Struct, frozen=True):
    """One line of a story and the events that follow."""

    do: str
    then: tuple[str, ...] = ()


class Story(Struct, frozen=True):
    """A way as a story. title: what it shows. taken: places of services that other cases hold."""

    title: str
    taken: Mapping[str, int]
    told: tuple[StoryLine, ...]


def story(title: str, way: Way, policy: Policy, about: str = "") -> Story:
    """Return the story of a way, up to the desk task that it is about; without one, to its end."""
    lines: list[StoryLine] = []
    for one in _lines(way):
        lines.append(one)
        if len(lines) >= LINES or (about and any(said.startswith("desk ") and f" {about}" in said for said in one.then)):
            break
    return Story(title, _taken(way.given, policy), tuple(lines))


def text(found: Story, folder: str = "") -> str:
    """Return the text of the story file. folder: of the policy files that differ from the shipped ones, relative to the
    story; empty: none."""
    out = [f"story: {json.dumps(found.title, ensure_ascii=False)}"]
    if folder:
        out.append(f"policy: {folder}   # the shipped policy, with these files in place of its own; an empty file is left out")
    if found.taken:
        out.append(f"taken: {{{', '.join(f'{k}: {v}' for k, v in found.taken.items())}}}   # places that other cases hold")
    out.append("told:")
    for one in found.told:
        out += [f'  - do: "{one.do}"', "    then:" + ("" if one.then else " []")]
        out += [f"      - {line}" for line in one.then]
    return "\n".join(out) + "\n"


def _lines(way: Way) -> Iterator[StoryLine]:
    now, before = START, None
    for done in inputs(way.last):
        if not isinstance(done.body, Due):
            yield from (StoryLine(line) for line in _waits(done.now - now))
        now = done.now
        yield StoryLine(_do(done, before, way.given), tuple(describe(done.case, event, done.now) for event in done.events))
        before = done.case


def _waits(micros: int) -> Iterator[str]:
    """Yield the lines that let this time pass."""
    for size, unit in UNITS:
        if micros >= size:
            yield f"wait {micros // size} {unit}"
            micros %= size


def _do(done: Decided, before: Case | None, given: Given) -> str:
    """Return the input of a decision as a line of a story."""
    body = done.body
    if isinstance(body, Due):
        return "alarm"
    if isinstance(body, e.RungFailed):
        return f"rung-failed {_where(before, body.offer_id)} {body.reason}"
    if isinstance(body, e.ResponseSubmitted):
        person = f"person={UUID(body.by).int}" if body.by else ""
        return " ".join(filter(None, (f"{_where(before, body.offer_id)}:", body.word.value, body.reason or body.code, person)))
    if isinstance(body, e.AnswerWithdrawn):
        return f"take-back {_where(before, body.offer_id)}"
    return " ".join(["refer", *_refer(given)])


def _refer(given: Given) -> Iterator[str]:
    """Yield the words of the referral: every trait that is not as usual."""
    for name in given.traits.__struct_fields__:
        value = getattr(given.traits, name)
        if name == "times":
            yield from (f"{one.code}={(START - one.at) // MINUTE_US}min" for one in value)
        elif value != getattr(USUAL, name):
            yield f"{name}={','.join(value) if isinstance(value, tuple) else value}"
    if given.consent is not None:
        yield f"consent={given.consent.state.value}"
    if given.excluded:
        yield f"excludes={','.join(given.excluded)}"


def _where(case: Case | None, offer_id: str) -> str:
    """Return the target of an answer: `step`, `step.1`, or with `@service` where the newest offer there is another."""
    assert case is not None
    for (_, _, number), _, run, seat in seats(case):
        for offer in (*seat.past, *seat.kept, *filter(None, (seat.offer, seat.next))):
            if offer.offer_id == offer_id:
                place = f"{run.step}{f'.{number}' if number else ''}"
                return place if _newest(case, run.step, number) == offer_id else f"{place}@{offer.service}"
    return "?"


def _newest(case: Case, step: str, number: int) -> str:
    """Return the id of the newest offer for a seat."""
    found = ""
    for (_, _, seat_number), _, run, seat in seats(case):
        if run.step == step and seat_number == number:
            for offer in (*seat.past, *seat.kept, *filter(None, (seat.offer, seat.next))):
                found = offer.offer_id
    return found


def _taken(given: Given, policy: Policy) -> Mapping[str, int]:
    """Return the places that must be taken beforehand, so that a full agency is full."""
    full = [agency for agency, fault in given.faults.items() if fault is Fault.FULL]
    return {s.id: s.places for s in policy.services.values() if s.agency in full and s.places}
