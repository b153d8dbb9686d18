"""Long walks: the same world and the same promises as the properties, but weighted like life, so that the far ends are reached.

A walk that fails names its seed; `Line` says what broke.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import pytest

from referral.domain import events as e
from referral.domain.case import open_offers
from tests.harness.two_cases.moves import AGREE
from tests.harness.two_cases.world import CASES, SHIPPED
from tests.stories.teller import TRAITS
from tests.unit.domain.test_properties import PLACES, Line

T = TypeVar("T")
STEPS_IN_A_WALK = 140
WALKS = 12
"""In each of four blocks."""
FIRST, AT_MOST = 1000, 300
"""Where the search for the far ends begins, and after how many walks it gives up; the rarest comes in one of thirty."""
MUST_HAPPEN = {
    "late-accept",
    "statutory-duty",
    "other-accepted",
    "holder-changed",
    "when-no-longer",
    "moved",
    "close-when",
    "all-tracks-ended",
    "all-seats-decided",
    "missed-deadline",
    "no-candidate",
    "person-declined",
    "all-excluded",
    "decide-missed",
    "arrive-missed",
    "decision-forbidden",
    "switched",
    "carried-over",
    "also-opens",
    "waits-for",
    "consent-missing",
    "consent-withdrawn",
    "default-by-silence",
    "confirm-default",
    "next-round",
    "transferred",
    "undo",
}
"""Rules that a set of walks must have reached, or the walks prove little."""


class Walk:
    """One seeded walk of a line, whose first case begins with a procedure."""

    def __init__(self, seed: int, line: Line, begins: str) -> None:
        self.dice, self.line, self.rules = random.Random(seed), line, Counter[str]()
        some = self.dice.sample(sorted(SHIPPED.services), self.dice.choice([0, 0, 5, 20, 60]))
        places = {id: self.dice.randint(0, 2) for id in self.dice.sample(PLACES, 3)}
        self.line.world(gone=set(some), places=places, first=self.traits(), begins=begins, ahead=[])  # type: ignore[call-arg]
        self.line.put(CASES[1], self.line.referral(self.traits(), self.one([None, AGREE])))

    def one(self, of: Sequence[T]) -> T:
        return self.dice.choice(of)

    def traits(self) -> e.Traits:
        return msgspec.structs.replace(
            TRAITS,
            concern=self.one(["trafficking", "trafficking", *SHIPPED.codes["concern"]]),
            age=self.one(["child", "child", "uncertain", "adult"]),
            found_in=self.one(["prishtine", "prishtine", "prizren", "novoberde", "zvecan"]),
            sex=self.one(["female", "male"]),
            age_band=self.one(["12-14", "0-5", "15-17", "unknown"]),
            urgency=self.one(["urgent", "emergency"]),
            origin=self.one(["domestic", "foreign"]),
            asylum=self.one(["claimed", "not-claimed"]),
            flags=self.one([(), (), (), ("unaccompanied",), ("disability",), *((flag,) for flag in SHIPPED.codes["flag"])]),
        )

    def go(self) -> None:
        ways: list[tuple[int, Callable[[str], None]]] = [
            (75, self.help_on),
            (12, self.answer),
            (12, self.alarm),
            (2, lambda who: self.line.complaint(who=who, word=e.Instruction.CONFIRM, pick=self.dice.randint(0, 99))),
            (6, self.take_back),
            (4, self.rung),
            (5, self.order),
            (2, lambda who: self.line.exclude(who=who, pick=self.dice.randint(0, 99), kind=self.one(["AGENCY", "STAFF", "RELATION"]))),
            (2, lambda who: self.line.other_traits(who=who, traits=self.traits())),
            (1, lambda who: self.line.withdraw(who=who)),
            (1, lambda who: self.line.lose(who=who)),
            (
                3,
                lambda who: self.line.consent(
                    who=who, state=self.one(["GIVEN", "GIVEN", "WITHDRAWN", "REFUSED"]), pick=self.dice.randint(0, 99)
                ),
            ),
            (1, lambda who: self.line.days_pass(days=self.one([1, 30, 91]))),
            (2, lambda who: self.line.time_passes(minutes=self.dice.randint(1, 90))),
        ]
        for _ in range(STEPS_IN_A_WALK):
            way = self.dice.choices([w for _, w in ways], [n for n, _ in ways])[0]
            way(self.one(CASES))
            self.line.places_are_never_oversold()
            self.line.every_seat_is_held_once_by_who_may_have_it()
        self.line.teardown()
        for _, _, _, events in self.line.log:
            self.rules.update(event.why.rule for event in events)  # type: ignore[attr-defined]

    def help_on(self, who: str) -> None:
        self.line.helpful_answer(who, self.dice.randint(0, 99), self.one([0, 0, 1, 2, 2, 2]))

    def answer(self, who: str) -> None:
        ended = self.dice.random() < 0.3
        offer = self.line.an_offer(who, self.dice.randint(0, 99), ended=ended)
        if offer is not None:
            word = e.Word.ACCEPT if ended else self.one([e.Word.DECLINE, e.Word.DECLINE, e.Word.RETURN, e.Word.HOLD, e.Word.ACCEPT])
            reason = self.one(["OUT_OF_AREA", "NO_CAPACITY", "PERSON_DECLINED", "CONFLICT_OF_INTEREST"])
            self.line.respond(who, offer.offer_id, offer.agency, word, reason, 0, ())

    def take_back(self, who: str) -> None:
        may = [id for id, case in self.line.cases.items() if case is not None and case.undos]
        seconds, read = self.one([0, 0, 30, 121]), self.one([0, 0, 1200])
        self.line.take_back(who=self.one(may or [who]), pick=self.dice.randint(0, 99), seconds=seconds, read=read)

    def rung(self, who: str) -> None:
        """Half of the time the whole ladder."""
        offer = self.line.an_offer(who, self.dice.randint(0, 99), ended=False)
        reason = self.one(["nobody-on-duty", "all-excluded"])
        for rung in range(self.one([1, 3])) if offer is not None else ():
            self.line.put(who, e.RungFailed(offer_id=offer.offer_id, rung=offer.rung + rung, reason=reason, at=self.line.now))

    def alarm(self, who: str) -> None:
        """Mostly the notifier has told whoever was asked."""
        case = self.line.cases[who]
        for offer in open_offers(case) if case is not None and self.dice.random() < 0.8 else ():
            if offer.knocked and not offer.told:
                self.line.put(who, e.RungReached(offer_id=offer.offer_id, rung=offer.rung, at=self.line.now))
        self.line.alarm(who=who, late=self.dice.randint(0, 5))

    def order(self, who: str) -> None:
        words = [e.Instruction.OFFER, e.Instruction.OFFER, e.Instruction.RELEASE, e.Instruction.SETTLE, e.Instruction.STOP]
        words += [e.Instruction.RESUME] * 4 + [e.Instruction.TRANSFER, e.Instruction.OVERTAKEN, e.Instruction.REOPEN]
        self.line.instruct(
            who=who, word=self.one(words), pick=self.dice.randint(0, 999), seat=self.one([0, 0, 1, 2]), fits=True, desk="dsw"
        )


def shipped(seed: int) -> Walk:
    """A walk under the shipped policy; every procedure begins one in its turn."""
    return Walk(seed, Line(), SHIPPED.current[seed % len(SHIPPED.current)].id)


def walked(seed: int) -> Counter[str]:
    walk = shipped(seed)
    try:
        walk.go()
    except BaseException as wrong:
        wrong.add_note(f"seed {seed}")
        raise
    return walk.rules


@pytest.mark.parametrize("block", range(4))
def test_every_promise_holds_on_long_walks(block: int) -> None:
    for seed in range(block * WALKS, block * WALKS + WALKS):
        walked(seed)


def test_the_far_ends_are_reached() -> None:
    """Or the walks prove little: they go on until each of these rules has spoken."""
    missing = set(MUST_HAPPEN)
    for seed in range(FIRST, FIRST + AT_MOST):
        if not (missing := missing - set(walked(seed))):
            return
    raise AssertionError(f"never reached: {sorted(missing)}")
