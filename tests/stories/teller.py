"""Tells a story: lines such as `police: ACCEPT` become inputs, decisions become lines such as `climb police to rung 1`.

`README.md` lists the lines.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from referral.analysis.reachability.classes import USUAL
from referral.domain import events as e
from referral.domain.case import Case, Offer, holds, next_due, open_offers, seats
from referral.domain.decide import decide, facts_for
from referral.domain.describe import describe
from referral.domain.evolve import fold
from referral.domain.inputs import Due, Input, RecordLost, Source, made_input
from referral.domain.policy import ENGINE, Policy, compile
from referral.exercise.told import length, options
from referral.wire import codec
from services.routing import engine_failure
from tests.harness import shipped
from tests.stories.lines import ROOT, Unheard, changed_traits, consent_of, in_oldest_bytes, policy_line

POLICY = Path(__file__).parents[2] / "policy"
START = 1_790_755_200_000_000
"""A Wednesday, 30 September 2026, 10:00 in Prishtinë, in µs UTC."""
CASE = str(uuid.UUID(int=0xC))
TRAITS = USUAL
LARGEST_BYTES = 4096
"""Bytes (ours) below which every decision's record stays."""


def files(folder: Path = POLICY) -> dict[str, bytes]:
    """The files of a policy folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.yaml")}


@cache  # a policy never changes, and most tests want the shipped one
def policy(otherwise: Path | None = None) -> Policy:
    """The policy that the checkout ships with. otherwise: a folder of files that stand in place of its own; an empty one is left out."""
    if otherwise is None:
        return shipped.compiled()
    found = {**files(), **files(otherwise)}
    return compile({path: data for path, data in found.items() if data})


class World:
    """One case and the places of the directory, driven by lines. `taken` are places that other cases hold."""

    def __init__(self, policy: Policy, taken: Mapping[str, int] | None = None) -> None:
        self.policy, self.taken = policy, dict(taken or {})
        self.case: Case | None = None
        self.case_id = CASE
        self.now, self.count = START, 0
        self.log: list[tuple[Case | None, Input, e.Facts, tuple[Struct, ...]]] = []
        self.bundle: int | None = None
        """Number of the policy, counted from its first change."""
        self.policies: list[Policy] = []
        """The policy of each entry of the log."""
        self.offered: dict[str, e.OfferOpened] = {}
        self.root = ROOT
        """Folder of the files of `policy with FILE`."""
        self.exercise = False
        self.mute = False
        """No message leaves: nobody is told of what is asked from now on."""

    def free(self, wanted: tuple[str, ...]) -> dict[str, int]:
        held = holds(self.case) if self.case else {}
        return {id: (self.policy.services[id].places or 0) - self.taken.get(id, 0) - held.get(id, 0) for id in wanted}

    def put(self, body: Struct, *, failing: bool = False) -> tuple[Struct, ...]:
        """Decide upon one body and keep what follows. failing: the rules themselves break on it."""
        if not isinstance(body, e.RungReached | e.RungFailed):
            self._tell_everybody()
        self.count += 1
        cause = self.cause(body)
        facts = facts_for(self.case, cause, self.policy, self.now, self.free, self.bundle)
        if failing:
            events: tuple[Struct, ...] = engine_failure.events(self.case, cause, facts, self.policy)
        else:
            events = tuple(self.decides(cause, facts))
        self.log.append((self.case, cause, facts, events))
        self.policies.append(self.policy)
        return self.keep(events)

    def _tell_everybody(self) -> None:
        """The notifier's first message arrives where something has just been asked, in the moment in which it was."""
        if self.mute or self.case is None or self.case.closed:
            return
        now, self.now = self.now, self.case.at
        waits = [o for o in open_offers(self.case) if o.knocked and not o.told and not o.unheard and o.state == "OFFERED"]
        for offer in [o for o in waits if o.due is not None]:
            self.put(e.RungReached(offer_id=offer.offer_id, rung=offer.rung, at=self.now))
        self.now = now

    def decides(self, cause: Input, facts: e.Facts) -> Sequence[Struct]:
        """What the rules lead to."""
        return decide(self.case, cause, facts, self.policy)

    def cause(self, body: Struct) -> Input:
        """The input that a body is, as the loop makes it."""
        seq = self.case.seq if self.case else 0
        source = Source(topic="referral-intake", partition=0, offset=self.count)
        made = made_input(CASE, body, seq, id=str(uuid.UUID(int=self.count)), source=source, number=self.count, at=self.now)
        return replace(made, drill=self.exercise)

    def keep(self, events: tuple[Struct, ...]) -> tuple[Struct, ...]:
        self.case = fold(self.case, events, self.case_id)
        for event in events:
            if isinstance(event, e.OfferOpened):
                self.offered[event.offer_id] = event
        return events

    def tell(self, line: str) -> list[str]:
        """Do what a line says; what followed, one short line an event. Of what is repeated, only what followed the last time."""
        verb, _, rest = line.partition(" ")
        if verb == "repeat":
            times, _, lines = rest.partition(": ")
            return [self.tell(each) for _ in range(int(times)) for each in lines.split("; ")][-1]
        if verb == "asked":
            return [self.asked(rest)]
        if verb == "notifier":
            self.mute = {"mute": True, "back": False}[rest]
            return []
        if verb == "policy":
            self.policy, self.bundle = policy_line(self.policy, rest.split(), self.root), (self.bundle or 0) + 1
            return []
        body = self.body(rest if verb == "engine-fails" else line)
        if body is None:
            return []
        return [self.short(event) for event in (self.put(body, failing=True) if verb == "engine-fails" else self.put(body))]

    def asked(self, where: str) -> str:
        """What the newest offer of a step tells the agency: how it is reached, what it may read, which staff are not woken."""
        opened = self.offered[self.offer(where).offer_id]
        skipped = f" skips {', '.join(opened.skip)}" if opened.skip else ""
        return f"{opened.service} by {opened.reach.value} shows {', '.join(opened.shows) or 'nothing'}{skipped}"

    def body(self, line: str) -> Struct | None:
        verb, _, rest = line.partition(" ")
        words = rest.split()
        if verb.endswith(":"):
            return self.answer(verb[:-1], words)
        match verb:
            case "refer":
                named = options(words)
                self.exercise = self.exercise or "exercise" in words
                return e.ReferralSubmitted(
                    referral_id=str(uuid.UUID(int=0xA0 + self.count)),
                    agency=named.get("by", "school-drita"),
                    door=e.Door.HTTP,
                    opens=self.case is None,
                    traits=changed_traits(TRAITS, words, self.now),
                    consent=consent_of(named["consent"], words, self.now) if "consent" in named else None,
                    sections=("identity",),
                    excludes=tuple(filter(None, named.get("excludes", "").split(","))),
                    received_at=self.now,
                )
            case "refer-again":
                assert self.case is not None
                first = next(cause.body for _, cause, _, _ in self.log if isinstance(cause.body, e.ReferralSubmitted))
                return replace(first, received_at=self.now)
            case "raised":
                away = tuple(filter(None, options(words)["excludes"].split(",")))
                why = e.Why(rule="missed-deadline", procedure="", directory="", engine=ENGINE, passed=())
                raised: dict[str, Any] = {"pathway": "rights-violation", "about": "deadline-missed", "new_case_id": CASE}
                return e.CaseRaised(why=why, traits=changed_traits(TRAITS, ["concern=rights-violation", *words]), excluded=away, **raised)
            case "alarm":
                due = self.now if words else next_due(self.case) if self.case else None
                assert due is not None, "nothing is due"
                self.now = max(self.now, due)
                return Due(at=due)
            case "wait":
                self.now += length(rest)
                return None
            case "taken":
                self.taken[words[0]] = int(words[1])
                return None
            case "traits":
                assert self.case is not None
                traits = changed_traits(self.case.traits, words, self.now)
                return e.TraitsChanged(agency=options(words).get("by", "school-drita"), by=None, traits=traits, received_at=self.now)
            case "old":
                return in_oldest_bytes(self.body(rest))
            case "consent":
                obtained = self.case.consent_by if self.case else ""
                by = options(words).get("by", obtained or "school-drita")
                return e.ConsentChanged(agency=by, consent=consent_of(words[0], words, self.now), received_at=self.now)
            case "exclude":
                by = options(words).get("by", "dsw")
                return e.ActorExcluded(agency=by, by=None, kind=e.ActorKind(words[0].upper()), actor=words[1], received_at=self.now)
            case "withdraw":
                assert self.case is not None
                known = str(uuid.UUID(int=0xBAD)) if "unknown" in words else self.case.referrals[0]
                reason = "exercise-over" if "exercise-over" in words else "no-longer-needed"
                return e.ReferralWithdrawn(referral_id=known, agency="school-drita", reason=reason, received_at=self.now)
            case "take-back":
                taken = self.offer(words[0])
                agency = options(words).get("by", taken.agency)
                return e.AnswerWithdrawn(offer_id=taken.offer_id, agency=agency, by=None, recorded_by=None, received_at=self.now)
            case "rung-failed":
                known = str(uuid.UUID(int=0xBAD)) if words[0] == "nowhere" else self.offer(words[0]).offer_id
                rung = 0 if words[0] == "nowhere" else self.offer(words[0]).rung
                return e.RungFailed(offer_id=known, rung=rung, reason=words[1], at=self.now)
            case "rung-reached":
                return e.RungReached(offer_id=self.offer(words[0]).offer_id, rung=self.offer(words[0]).rung, at=self.now)
            case "knock":
                return self.knock(words)
            case "lost":
                return RecordLost(topic="referral-intake", seq=7, reason="gap")
            case "disowned":
                return e.RecordDisowned(sequence=self.count, offset=self.count)
            case "disowned-knock":
                return e.KnockDisowned(sequence=self.count, offset=self.count)
            case "unheard":
                return Unheard()
            case "desk":
                return self.order(words)
        raise AssertionError(f"no such line: {line}")

    def knock(self, words: list[str]) -> e.KnockAnswered:
        """`knock STEP LOOKS [person=N]`, or CANNOT; `nowhere` was never asked, `desk` is a desk's task."""
        known = str(uuid.UUID(int=0xBAD)) if words[0] == "nowhere" else None if words[0] == "desk" else self.offer(words[0]).offer_id
        return e.KnockAnswered(
            offer_id=known,
            task_id=str(uuid.UUID(int=0xE)) if known is None else None,
            rung=0,
            person=str(uuid.UUID(int=int(options(words).get("person", "1")))),
            channel="voice",
            word=words[1],
            at=self.now,
            reference=str(uuid.UUID(int=0xF)),
        )

    def order(self, words: list[str]) -> e.InstructionGiven:
        """`desk WORD [step[.seat]] [target] [in=pathway] [as=agency] [how=link] [person=N]
        [task=about]`; CONFIRM, REFUSE: as `confirmed`."""
        named, plain = options(words), [word for word in words if "=" not in word]
        step, _, seat = (plain[1] if len(plain) > 1 else "").partition(".")
        linked = str(uuid.UUID(int=0xFF)) if plain[0] == "LINK" else None
        return e.InstructionGiven(
            instruction_id=str(uuid.UUID(int=0xD0000 + self.count)),
            word=e.Instruction(plain[0]),
            agency=named.get("as", "dsw"),
            by=str(uuid.UUID(int=int(named["person"]))) if "person" in named else None,
            reason="best-interest",
            track_id=self.track(named["in"]) if "in" in named else None,
            step=step,
            seat=int(seat or 0),
            target=named.get("how", plain[2] if len(plain) > 2 else ""),
            other=linked,
            received_at=self.now,
            task_id=self.confirmed()
            if plain[0] in ("CONFIRM", "REFUSE") and "task" not in named
            else self.task_about(named.get("task", "")),
        )

    def task_about(self, about: str) -> str | None:
        """The open task about this; None without a word."""
        return next(task.task_id for task in self.case.tasks if task.about == about) if about and self.case else None

    def confirmed(self) -> str | None:
        """The task that a CONFIRM or REFUSE answers: of the newest proposal, else of the referral that nobody vouches for."""
        proposals, tasks = (self.case.proposals, self.case.tasks) if self.case else ((), ())
        waiting = [task.task_id for task in tasks if task.about == "confirm-referral"]
        return proposals[-1].task_id if proposals else waiting[0] if waiting else None

    def track(self, pathway: str) -> str:
        """The newest track of a procedure."""
        assert self.case is not None
        return [track.track_id for track in self.case.tracks if track.pathway == pathway][-1]

    def offer(self, where: str) -> Offer:
        """`[pathway/]step[.seat][@service]`: the newest offer there."""
        place, _, service = where.partition("@")
        pathway, _, place = place.rpartition("/")
        step, _, seat = place.partition(".")
        assert self.case is not None
        found = [
            offer
            for (_, _, number), track, run, at in seats(self.case)
            if run.step == step and number == int(seat or 0) and pathway in ("", track.pathway)
            for offer in (*at.past, *at.kept, *filter(None, (at.offer, at.next)))
            if service in ("", offer.service)
        ]
        assert found, f"nobody was asked for {where}"
        return found[-1]

    def answer(self, where: str, words: list[str]) -> e.ResponseSubmitted:
        """`step: WORD [reason or code] [unrecorded] [by=agency] [person=number] [phone=desk] [pointed=level]`. `nowhere:` has no offer."""
        word, named = e.Word(words[0]), options(words)
        offer = self.offer(where) if where != "nowhere" else Offer(offer_id=str(uuid.UUID(int=0xBAD)), agency="iom", service="")
        more = [w for w in words[1:] if w != "unrecorded" and "=" not in w]
        by = named.get("by", offer.agency)
        return e.ResponseSubmitted(
            response_id=str(uuid.UUID(int=0xE0000 + self.count)),
            offer_id=offer.offer_id,
            agency=by,
            word=word,
            reason=more[0] if more and word is not e.Word.DECIDE else "",
            code=more[0] if more and word is e.Word.DECIDE else "",
            recorded=() if "unrecorded" in words else ("reason", "child-view"),
            by=str(uuid.UUID(int=int(named["person"]))) if "person" in named else None,
            via=e.Via.PHONE if "phone" in named else e.Via.WEB,
            recorded_by=str(uuid.UUID(int=0xF0)) if "phone" in named else None,
            received_at=self.now,
            pointed=named.get("pointed"),
        )

    def short(self, event: Any) -> str:
        """One event in one line."""
        assert self.case is not None
        return describe(self.case, event, self.now)


def world(story: Mapping[str, Any], folder: Path, shipped: Policy) -> World:
    """Where a story happens: under the shipped policy, or with the files of the folder that it names, as seen from its own."""
    return World(policy(folder / story["policy"]) if "policy" in story else shipped, story.get("taken"))


def bytes_of(events: Sequence[Struct]) -> tuple[bytes, ...]:
    """What is sealed of these events: their exact Avro bodies."""
    return tuple(codec.encode(event) for event in events)


def replayed(world: World) -> None:
    """Assert that the log alone gives the same bytes and the same case again, and that everything in it can travel."""
    case: Case | None = None
    for (before, cause, facts, events), rules in zip(world.log, world.policies, strict=True):
        assert before == case
        if events[0].why.rule != engine_failure.ENGINE_FAILED:  # type: ignore[attr-defined]
            assert bytes_of(decide(case, cause, facts, rules)) == bytes_of(events)
        for event, data in zip(events, bytes_of(events), strict=True):
            assert codec.decode(event.TYPE, codec.fingerprint(event.TYPE), data) == event  # type: ignore[attr-defined]
            assert len(data) < LARGEST_BYTES
        case = fold(case, events, CASE)
    assert case == world.case
    assert case is None or msgspec.msgpack.decode(msgspec.msgpack.encode(case), type=Case) == case
