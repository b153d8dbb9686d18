"""What holds for every sequence of inputs: referrals, answers right and wrong, silence, failures, exclusions, orders, losses.

Two cases live in one world of scarce places and a directory with random holes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Struct
from msgspec import structs as msgstructs

from referral.domain import events as e
from referral.domain.case import Case, Offer, holds, next_due, offers_of, open_offers, seats
from referral.domain.deadline import HOUR, MINUTE
from referral.domain.decide import decide, places_wanted
from referral.domain.fold import evolve
from referral.domain.policy import ENGINE
from referral.domain.record import Due, Input, RecordLost, Source, due_input, lost_input
from tests.stories.teller import START, TRAITS, bytes_of, policy

WHOLE = policy()
CASES = tuple(str(uuid.UUID(int=0xC0 + n)) for n in range(2))
MOST = 120
"""Events of one decision: a bound far below any that could hurt, far above the thirty of the busiest story."""
PLACES = sorted(id for id, service in WHOLE.services.items() if service.places is not None)
STEPS = sorted({step.id for pathway in WHOLE.current for step in pathway.steps})
CODED = {
    "about": "about",
    "step": "step",
    "outcome": None,
    "due_what": "limit",
    "what": "limit",
    "pathway": "pathway",
    "urgency": "urgency",
    "role": "role",
}

chosen = st.integers(0, 10_000)
traits = st.builds(
    msgstructs.replace,
    st.just(TRAITS),
    concern=st.sampled_from(["trafficking"] * 6 + ["child-labour", "nonsense"]),
    age=st.sampled_from(["child", "child", "uncertain", "adult"]),
    age_band=st.sampled_from(["12-14", "0-5", "unknown"]),
    sex=st.sampled_from(["female", "male", "unknown"]),
    found_in=st.sampled_from(["prishtine", "prizren", "novoberde", "gjilan", "zvecan", "atlantis"]),
    urgency=st.sampled_from(["routine", "urgent", "emergency"]),
    origin=st.sampled_from(["domestic", "foreign"]),
    asylum=st.sampled_from(["claimed", "not-claimed"]),
    flags=st.sampled_from([(), ("unaccompanied",), ("disability",)]),
)


class Looked(dict[str, int]):
    """Free places that remember which were asked for."""

    def __init__(self, free: Mapping[str, int]) -> None:
        super().__init__(free)
        self.at: set[str] = set()

    def get(self, id: str, default: Any = None) -> Any:
        if WHOLE.services[id].places is not None:
            self.at.add(id)
        return super().get(id, default)


class Line(RuleBasedStateMachine):
    """The world: cases, places, clock."""

    def __init__(self) -> None:
        super().__init__()
        self.cases: dict[str, Case | None] = dict.fromkeys(CASES)
        self.log: list[tuple[str, Input, e.Facts, tuple[Struct, ...]]] = []
        self.now, self.count = START, 0
        self.policy = WHOLE

    @initialize(
        gone=st.sets(st.sampled_from(sorted(WHOLE.services)), max_size=25),
        places=st.dictionaries(st.sampled_from(PLACES), st.integers(0, 2)),
        first=traits,
        ahead=st.lists(st.tuples(chosen, st.sampled_from([0, 0, 2, 2, 1])), max_size=30),
    )
    def world(self, gone: set[str], places: Mapping[str, int], first: e.Traits, ahead: list[tuple[int, int]]) -> None:
        """A head start along the procedure, so that its later steps are reached as often as its first."""
        kept = {id: replace(s, places=places.get(id, s.places)) for id, s in WHOLE.services.items() if id not in gone}
        self.policy = replace(WHOLE, services=kept)
        self.put(CASES[0], self.referral(msgstructs.replace(first, concern="trafficking", age="child")))
        for pick, code in ahead:
            self.helpful_answer(CASES[0], pick, code)

    # ---- what happens
    def referral(self, traits: e.Traits) -> e.ReferralSubmitted:
        return e.ReferralSubmitted(
            referral_id=str(uuid.UUID(int=0xA000 + self.count % 7)),
            agency="school-drita",
            door=e.Door.HTTP,
            opens=True,
            traits=traits,
            consent=None,
            sections=(),
            received_at=self.now,
        )

    def put(self, case_id: str, body: Struct) -> None:
        self.count += 1
        case = self.cases[case_id]
        seq, source = (case.seq if case else 0), Source(topic="referral-intake", partition=0, offset=self.count)
        if isinstance(body, Due):
            cause = due_input(case_id, body.at, seq)
        elif isinstance(body, RecordLost):
            cause = lost_input(case_id, body, source)
        else:
            cause = Input(id=str(uuid.UUID(int=self.count)), case_id=case_id, body=body, source=source)
        free = {id: self.free(id) for id in places_wanted(case, cause, self.policy)}
        facts = e.Facts(now=self.now, engine=ENGINE, free=free)
        looked = Looked(free)
        decide(case, cause, msgstructs.replace(facts, free=looked), self.policy)
        assert looked.at <= set(free), "a decision looked at a place that routing had not locked"
        events = decide(case, cause, facts, self.policy)
        self.check(case_id, cause, facts, events)
        self.log.append((case_id, cause, facts, events))

    def free(self, id: str) -> int:
        return (self.policy.services[id].places or 0) - sum(holds(case).get(id, 0) for case in self.cases.values() if case)

    @rule(who=st.sampled_from(CASES), traits=traits)
    def refer(self, who: str, traits: e.Traits) -> None:
        self.put(who, self.referral(traits))

    def an_offer(self, who: str, pick: int, *, ended: bool) -> Offer | None:
        case = self.cases[who]
        found = [] if case is None else list(open_offers(case))
        if ended and case is not None:
            found = [offer for _, _, _, seat in seats(case) for offer in seat.past] or found
        return found[pick % len(found)] if found else None

    @rule(
        who=st.sampled_from(CASES),
        pick=chosen,
        word=st.sampled_from([w for w in e.Word if w is not e.Word.UNKNOWN]),
        reason=st.sampled_from(["NO_CAPACITY", "OUT_OF_AREA", "CONFLICT_OF_INTEREST", "PERSON_DECLINED", "nonsense"]),
        code=chosen,
        ended=st.booleans(),
        stranger=st.booleans(),
        recorded=st.sampled_from([("reason", "child-view"), ("reason",)]),
    )
    def answer(
        self, who: str, pick: int, word: e.Word, reason: str, code: int, ended: bool, stranger: bool, recorded: tuple[str, ...]
    ) -> None:
        offer = self.an_offer(who, pick, ended=ended and pick % 3 == 0)
        if offer is None:
            return
        agency = "iom" if stranger and pick % 5 == 0 else offer.agency
        self.respond(who, offer.offer_id, agency, word, reason, code, recorded)

    @rule(who=st.sampled_from(CASES), pick=chosen, code=chosen)
    def helpful(self, who: str, pick: int, code: int) -> None:
        self.helpful_answer(who, pick, code)

    def helpful_answer(self, who: str, pick: int, code: int) -> None:
        """The answer that moves the case on."""
        case = self.cases[who]
        idle = {("police", "ACCEPTED"), ("iom", "ACCEPTED"), ("support", "ARRIVED"), ("shelter", "ARRIVED")}
        asked = [] if case is None else [(r, o) for _, _, r, s in seats(case) if (o := s.offer) is not None and not o.how]
        waiting = [(r, o) for r, o in asked if (r.step, o.state) not in idle and r.step != "coordinator"] or asked
        if not waiting:
            return
        run, offer = waiting[pick % len(waiting)]
        moves = {"OFFERED": e.Word.ACCEPT, "ACKNOWLEDGED": e.Word.ACCEPT, "ACCEPTED": e.Word.ARRIVE, "ARRIVED": e.Word.COMPLETE}
        word = e.Word.DECIDE if run.kind is e.StepKind.DECIDE else moves[offer.state]
        if run.step in ("health", "interview", "plan"):
            word = e.Word.COMPLETE
        self.respond(who, offer.offer_id, offer.agency, word, "", code, ("reason", "child-view"))

    def respond(self, who: str, offer_id: str, agency: str, word: e.Word, reason: str, code: int, recorded: tuple[str, ...]) -> None:
        codes = self.codes(who, offer_id)
        self.put(
            who,
            e.ResponseSubmitted(
                response_id=str(uuid.UUID(int=self.count)),
                offer_id=offer_id,
                agency=agency,
                word=word,
                reason=reason,
                code=codes[code % len(codes)],
                recorded=recorded,
                by=None,
                via=e.Via.WEB,
                recorded_by=None,
                received_at=self.now,
            ),
        )

    def codes(self, who: str, offer_id: str) -> tuple[str, ...]:
        case = self.cases[who]
        assert case is not None
        for _, track, run, seat in seats(case):
            step = WHOLE.pinned[track.digest].step(run.step)
            if any(o.offer_id == offer_id for o in (*offers_of(seat), *seat.past)) and step is not None and step.codes:
                return (*step.codes, "HIGH", "agree", "move")
        return ("HIGH",)

    @rule(minutes=st.integers(1, 600))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule(who=st.sampled_from(CASES), late=st.integers(0, 90))
    def alarm(self, who: str, late: int) -> None:
        case = self.cases[who]
        due = next_due(case) if case else None
        if due is None:
            return
        self.now = max(self.now, due) + late * MINUTE
        self.put(who, Due(at=due))
        after = self.cases[who]
        later = next_due(after) if after else None
        assert later is None or later > self.now, "an alarm would ring again at once"

    @rule(who=st.sampled_from(CASES))
    def stale_alarm(self, who: str) -> None:
        case = self.cases[who]
        if case is not None and (next_due(case) or self.now + 1) > self.now:
            before = open_offers(case)
            self.put(who, Due(at=self.now - HOUR))
            after = self.cases[who]
            assert after is not None and [o.offer_id for o in open_offers(after)][: len(before)] == [o.offer_id for o in before]

    @rule(who=st.sampled_from(CASES), pick=chosen, rung=st.integers(0, 2), reason=st.sampled_from(["nobody-on-duty", "all-excluded"]))
    def rung_failed(self, who: str, pick: int, rung: int, reason: str) -> None:
        offer = self.an_offer(who, pick, ended=pick % 7 == 0)
        if offer is not None:
            rung = offer.rung if pick % 2 else rung
            self.put(who, e.RungFailed(offer_id=offer.offer_id, rung=rung, reason=reason, at=self.now))

    @rule(who=st.sampled_from(CASES), pick=chosen, kind=st.sampled_from(["AGENCY", "STAFF", "RELATION"]))
    def exclude(self, who: str, pick: int, kind: str) -> None:
        agencies = sorted(WHOLE.agencies)
        offer = self.an_offer(who, pick, ended=False)
        asked = offer.agency if offer is not None and pick % 2 else agencies[pick % len(agencies)]
        actor = {"AGENCY": asked, "STAFF": str(uuid.UUID(int=7)), "RELATION": ("parent", "relative")[pick % 2]}[kind]
        self.put(who, e.ActorExcluded(agency="dsw", by=None, kind=e.ActorKind(kind), actor=actor, received_at=self.now))

    @rule(who=st.sampled_from(CASES), traits=traits)
    def other_traits(self, who: str, traits: e.Traits) -> None:
        self.put(who, e.TraitsChanged(agency="dsw", by=None, traits=traits, received_at=self.now))

    @rule(who=st.sampled_from(CASES), state=st.sampled_from(["GIVEN", "WITHDRAWN", "REFUSED"]))
    def consent(self, who: str, state: str) -> None:
        value = e.Consent(state=e.ConsentState(state), basis="consent", giver="person", scope=(), recipients=(), until=None)
        self.put(who, e.ConsentChanged(agency="dsw", consent=value, received_at=self.now))

    @rule(
        who=st.sampled_from(CASES),
        word=st.sampled_from([w for w in e.Instruction if w not in (e.Instruction.UNKNOWN, e.Instruction.CLOSE)]),
        step=st.sampled_from(STEPS),
        seat=st.sampled_from([0, 0, 0, 1, 2, 3]),
        fits=st.booleans(),
        aim=st.sampled_from([*sorted(WHOLE.services), "HIGH", "LOW", "agree", "move", "leave", "settled", ""]),
        desk=st.sampled_from(["dsw", "dsw", "desk-prizren", "iom"]),
    )
    def instruct(self, who: str, word: e.Instruction, step: str, seat: int, fits: bool, aim: str, desk: str) -> None:
        found = next((at for pathway in WHOLE.current if (at := pathway.step(step))), None)
        if fits and found is not None and found.seats:
            rule = found.seats[min(seat, len(found.seats) - 1)]
            roles = {*rule.roles, *rule.last_resort, *(found.placement.until_known if found.placement else ())}
            fitting = [*found.codes, *(id for id, service in sorted(self.policy.services.items()) if service.roles & roles)]
            aim = fitting[len(aim) % len(fitting)] if fitting else aim
        self.put(who, self.order(word, step, seat, aim, desk))

    @precondition(lambda self: self.count > 25)
    @rule(who=st.sampled_from(CASES))
    def close(self, who: str) -> None:
        self.put(who, self.order(e.Instruction.CLOSE, "", 0, "", "dsw"))

    def order(self, word: e.Instruction, step: str, seat: int, target: str, desk: str) -> e.InstructionGiven:
        return e.InstructionGiven(
            instruction_id=str(uuid.UUID(int=self.count)),
            word=word,
            agency=desk,
            by=None,
            reason="best-interest",
            track_id=None,
            step=step,
            seat=seat,
            target=target,
            other=CASES[0],
            received_at=self.now,
        )

    @rule(who=st.sampled_from(CASES))
    def withdraw(self, who: str) -> None:
        referral = str(uuid.UUID(int=0xA000))
        self.put(who, e.ReferralWithdrawn(referral_id=referral, agency="school-drita", reason="other", received_at=self.now))

    @rule(who=st.sampled_from(CASES))
    def lose(self, who: str) -> None:
        self.put(who, RecordLost(topic="referral-intake", seq=self.count, reason="gap"))

    @rule(who=st.sampled_from(CASES))
    def unknown(self, who: str) -> None:
        self.put(who, e.CaseErased())

    # ---- what must hold
    def check(self, who: str, cause: Input, facts: e.Facts, events: tuple[Struct, ...]) -> None:
        case = self.cases[who]
        assert events, "every input leaves an event"
        assert len(events) <= MOST
        assert bytes_of(decide(case, cause, facts, self.policy)) == bytes_of(events), "the same input decides the same"
        standing = set(case.excluded) if case else set()
        for index, event in enumerate(events):
            assert (event.head is not None) == (index == 0)  # type: ignore[attr-defined]
            self.codes_are_known(event)
            case = evolve(case, event, who)
            standing |= set(case.excluded)
            if isinstance(event, e.OfferOpened):
                self.offer_is_allowed(case, event, standing)
        self.cases[who] = case

    def codes_are_known(self, event: Any) -> None:
        assert event.why.rule in WHOLE.codes["rule"], event.why.rule
        assert all(p.reason in WHOLE.codes["passed-reason"] for p in event.why.passed) and len(event.why.passed) <= 32
        for name, listed in CODED.items():
            value = getattr(event, name, "")
            assert not value or listed is None or value in WHOLE.codes[listed], f"{name} {value}"
        if isinstance(event, e.InputIgnored):
            assert event.reason in WHOLE.codes["ignored-reason"], event.reason
        if isinstance(event, e.OfferClosed):
            assert event.reason in ("", *WHOLE.codes["close-reason"], *WHOLE.codes["reason"]), event.reason

    def offer_is_allowed(self, case: Case, event: e.OfferOpened, excluded: set[str]) -> None:
        service = self.policy.services[event.service]
        assert f"agency:{event.agency}" not in excluded
        assert "detention" not in service.tags
        assert not ("residential-institution" in service.tags and "disability" in case.traits.flags)
        if "state-secure-facility" in service.roles:
            outcomes = {(run.step, run.outcome) for track in case.tracks for run in track.runs}
            assert {("risk", "HIGH"), ("secure", "agree")} <= outcomes and ("review", "leave") not in outcomes

    @invariant()
    def nothing_is_parked(self) -> None:
        for case in self.cases.values():
            if case is not None and not case.closed:
                assert next_due(case) is not None or case.tasks
            if case is not None and case.tasks:
                assert all(task.due is not None and task.desk in WHOLE.agencies for task in case.tasks)

    @invariant()
    def places_are_never_oversold(self) -> None:
        for id in self.policy.services:
            if self.policy.services[id].places is not None:
                assert self.free(id) >= 0, id

    @invariant()
    def seats_are_held_once(self) -> None:
        for case in self.cases.values():
            offers = [] if case is None else [offer.offer_id for offer in open_offers(case)]
            assert len(offers) == len(set(offers))
            for _, track, run, seat in seats(case) if case else ():
                taken = [o for o in (seat.offer, *seat.kept) if o and o.state in ("ACCEPTED", "ARRIVED") and o.due_what != ""]
                assert len(taken) <= 1, f"{track.pathway} {run.step}"
                assert not (seat.kept and seat.offer and seat.offer.state in ("ACCEPTED", "ARRIVED", "COMPLETED"))

    @invariant()
    def nothing_forbidden_can_be_accepted(self) -> None:
        """Also where what forbids it became known only after the offer."""
        for case in self.cases.values():
            for _, _, _, seat in seats(case) if case and "disability" in case.traits.flags else ():
                service = self.policy.services.get(seat.offer.service) if seat.offer and not seat.offer.how else None
                if service is not None and "residential-institution" in service.tags:
                    assert seat.offer is not None and seat.offer.state in ("ACCEPTED", "ARRIVED")

    @invariant()
    def excluded_agencies_read_nothing(self) -> None:
        for case in self.cases.values():
            assert case is None or all(f"agency:{offer.agency}" not in case.excluded for offer in open_offers(case))

    def teardown(self) -> None:
        """The log alone gives the same events and the same cases."""
        again: dict[str, Case | None] = dict.fromkeys(CASES)
        for who, cause, facts, events in self.log:
            assert bytes_of(decide(again[who], cause, facts, self.policy)) == bytes_of(events)
            for event in events:
                again[who] = evolve(again[who], event, who)
        assert again == self.cases
        for case in again.values():
            assert case is None or msgspec.msgpack.decode(msgspec.msgpack.encode(case), type=Case) == case


TestLine = Line.TestCase
TestLine.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
