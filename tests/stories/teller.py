"""Tells a story: lines such as `police: ACCEPT` become inputs, decisions become lines such as `climb police to rung 1`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.case import Case, Offer, holds, next_due, seats
from referral.domain.deadline import DAY, HOUR, MINUTE
from referral.domain.decide import decide, places_wanted
from referral.domain.directory import Service
from referral.domain.fold import evolve
from referral.domain.policy import ENGINE, Policy, compile
from referral.domain.record import Due, Input, RecordLost, Source, due_input, lost_input
from referral.domain.told import told
from referral.wire.codec import encode

POLICY = Path(__file__).parents[2] / "policy"
START = 1_790_755_200_000_000
"""A Wednesday, 30 September 2026, 10:00 in Prishtinë, in µs UTC."""
CASE = str(uuid.UUID(int=0xC))
TRAITS = e.Traits(
    concern="trafficking",
    age="child",
    age_band="12-14",
    sex="female",
    found_in="prishtine",
    home="",
    urgency="urgent",
    origin="domestic",
    asylum="not-claimed",
    languages=("sq",),
    flags=(),
)


def policy() -> Policy:
    """The policy that the checkout ships with."""
    return compile({path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")})


class World:
    """One case and the places of the directory, driven by lines. `taken` are places that other cases hold."""

    def __init__(self, policy: Policy, taken: Mapping[str, int] | None = None) -> None:
        self.policy, self.taken = policy, dict(taken or {})
        self.case: Case | None = None
        self.now, self.count = START, 0
        self.log: list[tuple[Case | None, Input, e.Facts, tuple[Struct, ...]]] = []

    def free(self, wanted: tuple[str, ...]) -> dict[str, int]:
        held = holds(self.case) if self.case else {}
        return {id: (self.policy.services[id].places or 0) - self.taken.get(id, 0) - held.get(id, 0) for id in wanted}

    def put(self, body: Struct) -> tuple[Struct, ...]:
        """Decide upon one body and keep what follows."""
        self.count += 1
        seq = self.case.seq if self.case else 0
        source = Source(topic="referral-intake", partition=0, offset=self.count)
        if isinstance(body, Due):
            cause = due_input(CASE, body.at, seq)
        elif isinstance(body, RecordLost):
            cause = lost_input(CASE, body, source)
        else:
            cause = Input(id=str(uuid.UUID(int=self.count)), case_id=CASE, body=body, source=source, seq=self.count, at=self.now)
        facts = e.Facts(now=self.now, engine=ENGINE, free=self.free(places_wanted(self.case, cause, self.policy)))
        events = decide(self.case, cause, facts, self.policy)
        self.log.append((self.case, cause, facts, events))
        for event in events:
            self.case = evolve(self.case, event, CASE)
        return events

    def tell(self, line: str) -> list[str]:
        """Do what a line says; what followed, one short line an event."""
        body = self.body(line)
        return [] if body is None else [self.short(event) for event in self.put(body)]

    def body(self, line: str) -> Struct | None:
        verb, _, rest = line.partition(" ")
        words = rest.split()
        if verb.endswith(":"):
            return self.answer(verb[:-1], words)
        match verb:
            case "refer":
                referral = str(uuid.UUID(int=0xA0 + self.count))
                return e.ReferralSubmitted(
                    referral_id=referral,
                    agency="school-drita",
                    door=e.Door.HTTP,
                    opens=self.case is None,
                    traits=self.traits(TRAITS, words),
                    consent=None,
                    sections=("identity",),
                    received_at=self.now,
                )
            case "alarm":
                due = next_due(self.case) if self.case else None
                assert due is not None, "nothing is due"
                self.now = max(self.now, due)
                return Due(at=due)
            case "wait":
                self.now += int(words[0]) * {"min": MINUTE, "h": HOUR, "d": DAY}[words[1]]
                return None
            case "taken":
                self.taken[words[0]] = int(words[1])
                return None
            case "traits":
                assert self.case is not None
                return e.TraitsChanged(agency="csw-prishtine", by=None, traits=self.traits(self.case.traits, words), received_at=self.now)
            case "consent":
                consent = e.Consent(state=e.ConsentState(words[0]), basis="consent", giver="person", scope=(), recipients=(), until=None)
                return e.ConsentChanged(agency="csw-prishtine", consent=consent, received_at=self.now)
            case "exclude":
                return e.ActorExcluded(agency="dsw", by=None, kind=e.ActorKind(words[0].upper()), actor=words[1], received_at=self.now)
            case "withdraw":
                assert self.case is not None
                return e.ReferralWithdrawn(
                    referral_id=self.case.referrals[0], agency="school-drita", reason="no-longer-needed", received_at=self.now
                )
            case "rung-failed":
                offer = self.offer(words[0])
                return e.RungFailed(offer_id=offer.offer_id, rung=offer.rung, reason=words[1], at=self.now)
            case "lost":
                return RecordLost(topic="referral-intake", seq=7, reason="gap")
            case "desk":
                return self.order(words)
        raise AssertionError(f"no such line: {line}")

    def order(self, words: list[str]) -> e.InstructionGiven:
        """`desk WORD [step[.seat]] [target]`."""
        step, _, seat = (words[1] if len(words) > 1 else "").partition(".")
        return e.InstructionGiven(
            instruction_id=str(uuid.UUID(int=0xD0000 + self.count)),
            word=e.Instruction(words[0]),
            agency="dsw",
            by=None,
            reason="best-interest",
            track_id=None,
            step=step,
            seat=int(seat or 0),
            target=words[2] if len(words) > 2 else "",
            other=str(uuid.UUID(int=0xFF)) if words[0] == "LINK" else None,
            received_at=self.now,
        )

    def traits(self, traits: e.Traits, words: list[str]) -> e.Traits:
        changes: dict[str, Any] = dict(word.split("=") for word in words)
        for many in ("flags", "languages"):
            if many in changes:
                changes[many] = tuple(filter(None, changes[many].split(",")))
        return replace(traits, **changes)

    def offer(self, where: str) -> Offer:
        """`step`, `step.0` or `step@service`: the newest offer there."""
        place, _, service = where.partition("@")
        step, _, seat = place.partition(".")
        assert self.case is not None
        found = [
            offer
            for (_, _, number), _, run, at in seats(self.case)
            if run.step == step and number == int(seat or 0)
            for offer in (*at.past, *at.kept, *filter(None, (at.offer, at.next)))
            if service in ("", offer.service)
        ]
        assert found, f"nobody was asked for {where}"
        return found[-1]

    def answer(self, where: str, words: list[str]) -> e.ResponseSubmitted:
        """`step: WORD [reason or code] [unrecorded] [by=agency]`."""
        offer, word = self.offer(where), e.Word(words[0])
        more = [w for w in words[1:] if w != "unrecorded" and not w.startswith("by=")]
        by = next((w[3:] for w in words if w.startswith("by=")), offer.agency)
        return e.ResponseSubmitted(
            response_id=str(uuid.UUID(int=0xE0000 + self.count)),
            offer_id=offer.offer_id,
            agency=by,
            word=word,
            reason=more[0] if more and word is not e.Word.DECIDE else "",
            code=more[0] if more and word is e.Word.DECIDE else "",
            recorded=() if "unrecorded" in words else ("reason", "child-view"),
            by=None,
            via=e.Via.WEB,
            recorded_by=None,
            received_at=self.now,
        )

    def short(self, event: Any) -> str:
        """One event in one line."""
        assert self.case is not None
        return told(self.case, event, self.now)


def bytes_of(events: Sequence[Struct]) -> tuple[bytes, ...]:
    """What is sealed of these events: their exact Avro bodies."""
    return tuple(encode(event) for event in events)


def replayed(world: World) -> None:
    """Assert that the log alone gives the same bytes and the same case again."""
    case: Case | None = None
    for before, cause, facts, events in world.log:
        assert before == case
        again = decide(case, cause, facts, world.policy)
        assert bytes_of(again) == bytes_of(events)
        for event in events:
            case = evolve(case, event, CASE)
    assert case == world.case
    assert case is None or msgspec.msgpack.decode(msgspec.msgpack.encode(case), type=Case) == case


def place_services(policy: Policy) -> list[Service]:
    return [service for service in policy.services.values() if service.places is not None]
