"""What can come in: referrals, answers right and wrong, silence, failures, exclusions, consent, orders, losses."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from msgspec import Struct
from msgspec import structs as msgstructs

from referral.domain import events as e
from referral.domain.case import next_due, open_offers, seats
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from referral.domain.inputs import Due, RecordLost
from tests.harness.erased import PLAIN
from tests.harness.two_cases.world import CASES, SHIPPED, Cases
from tests.stories.teller import TRAITS

chosen = st.integers(0, 10_000)
SECOND = 1_000_000
traits = st.builds(
    msgstructs.replace,
    st.just(TRAITS),
    concern=st.sampled_from([*["trafficking"] * 6, *SHIPPED.codes["concern"], "nonsense"]),
    age=st.sampled_from(["child", "child", "uncertain", "adult"]),
    age_band=st.sampled_from(["12-14", "0-5", "unknown"]),
    sex=st.sampled_from(["female", "male", "unknown"]),
    found_in=st.sampled_from(["prishtine", "prizren", "novoberde", "gjilan", "zvecan", "atlantis"]),
    urgency=st.sampled_from(["routine", "urgent", "emergency"]),
    origin=st.sampled_from(["domestic", "foreign"]),
    asylum=st.sampled_from(["claimed", "not-claimed"]),
    flags=st.sampled_from([(), (), ("unaccompanied",), ("disability",), *((flag,) for flag in SHIPPED.codes["flag"])]),
)
WORDS = [w for w in e.Instruction if w not in (e.Instruction.UNKNOWN, e.Instruction.CLOSE)]
REASONS = ["nobody-on-duty", "all-excluded", "all-channels-failed", "channels-away", "channels-away"]
STAFF = str(uuid.UUID(int=7))
COLLEAGUES = (str(uuid.UUID(int=8)), str(uuid.UUID(int=9)))
"""Two more people, for what one alone may not say."""
"""Somebody who answers now and then, and is excluded now and then."""
AGREE = e.Consent(state=e.ConsentState.GIVEN, basis="consent", giver="person", scope=(), recipients=(), until=None)


class Sends(Cases):
    """Inputs as they are made, and the answer that helps a case on."""

    def referral(self, traits: e.Traits, consent: e.Consent | None = None, excludes: tuple[str, ...] = ()) -> e.ReferralSubmitted:
        return e.ReferralSubmitted(
            referral_id=str(uuid.UUID(int=0xA000 + self.count % 7)),
            agency="school-drita",
            door=e.Door.HTTP,
            opens=True,
            traits=traits,
            consent=consent,
            sections=(),
            excludes=excludes,
            received_at=self.now,
        )

    def helpful_answer(self, who: str, pick: int, code: int) -> None:
        """The answer that moves the case on."""
        case = self.cases[who]
        waiting, asked = [], []
        for _, track, run, seat in seats(case) if case is not None else ():
            step = self.policy.pinned[track.digest].by_id[run.step]
            for offer in (seat.offer, seat.next):
                if offer is not None and not offer.how and run.kind is not e.StepKind.NOTIFY and not track.outcome:
                    asked.append((step, offer))
                    if offer.state != {"accepted": "ACCEPTED", "arrived": "ARRIVED"}.get(step.final) and not (
                        offer.state == "ARRIVED" and step.kind is e.StepKind.PLACE
                    ):
                        waiting.append((step, offer))
        if not (found := waiting or asked):
            return
        step, offer = found[pick % len(found)]
        comes = {"arrive", "present"} & set(step.limits)
        moves = {
            "OFFERED": e.Word.ACCEPT,
            "ACKNOWLEDGED": e.Word.ACCEPT,
            "ACCEPTED": e.Word.ARRIVE if comes else e.Word.COMPLETE,
            "ARRIVED": e.Word.COMPLETE,
        }
        word = e.Word.DECIDE if step.kind is e.StepKind.DECIDE else moves[offer.state]
        self.respond(who, offer.offer_id, offer.agency, word, "", code, ("reason", "child-view"))

    def respond(self, who: str, offer_id: str, agency: str, word: e.Word, reason: str, code: int, recorded: tuple[str, ...]) -> None:
        codes = self.codes(who, offer_id)
        answer: dict[str, Any] = {"response_id": str(uuid.UUID(int=self.count)), "offer_id": offer_id, "agency": agency, "word": word}
        answer |= {
            "reason": reason,
            "code": codes[code % len(codes)],
            "recorded": recorded,
            "by": (None, STAFF, *COLLEAGUES)[code % 4],
            "via": e.Via.WEB,
        }
        self.put(who, e.ResponseSubmitted(**answer, recorded_by=None, received_at=self.now))

    def order(self, word: e.Instruction, step: str, seat: int, target: str, desk: str) -> e.InstructionGiven:
        order: dict[str, Any] = {"instruction_id": str(uuid.UUID(int=self.count)), "word": word, "agency": desk, "by": None}
        order |= {"reason": "best-interest", "track_id": None, "step": step, "seat": seat, "target": target, "other": CASES[0]}
        return e.InstructionGiven(**order, received_at=self.now)


class Moves(Sends):
    """Inputs, each chosen freely, and some that help a case on."""

    @rule(who=st.sampled_from(CASES), traits=traits, consent=st.sampled_from([None, AGREE]), pick=chosen)
    def refer(self, who: str, traits: e.Traits, consent: e.Consent | None, pick: int) -> None:
        agencies = sorted(self.whole.agencies)
        self.put(who, self.referral(traits, consent, () if pick % 4 else (f"agency:{agencies[pick % len(agencies)]}",)))

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

    @rule(who=st.sampled_from(CASES), pick=chosen, seconds=st.sampled_from([0, 0, 30, 121]), read=st.sampled_from([0, 0, 1200]))
    def take_back(self, who: str, pick: int, seconds: int, read: int) -> None:
        """Take back what may be taken back, else anything; now, soon, or a second too late. read: seconds until routing reads it."""
        case = self.cases[who]
        ended = [seat.offer for _, _, _, seat in seats(case) if seat.offer is not None] if case is not None else []
        known = {undo.offer_id for undo in case.undos} if case is not None else set()
        if not (found := [offer for offer in ended if offer.offer_id in known] or ended):
            return
        offer = found[pick % len(found)]
        pressed = self.now = self.now + seconds * SECOND
        self.now += read * SECOND
        agency = offer.agency if pick % 7 else "iom"
        by = STAFF if pick % 5 == 0 else None
        self.put(who, e.AnswerWithdrawn(offer_id=offer.offer_id, agency=agency, by=by, recorded_by=None, received_at=pressed))

    @rule(minutes=st.integers(1, 600))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE_US

    @rule(days=st.sampled_from([1, 30, 91]))
    def days_pass(self, days: int) -> None:
        self.now += days * DAY_US

    @rule(who=st.sampled_from(CASES), late=st.integers(0, 90))
    def alarm(self, who: str, late: int) -> None:
        case = self.cases[who]
        due = next_due(case) if case else None
        if due is None:
            return
        self.now = max(self.now, due) + late * MINUTE_US
        self.put(who, Due(at=due))

    @rule(who=st.sampled_from(CASES))
    def stale_alarm(self, who: str) -> None:
        case = self.cases[who]
        if case is not None and (next_due(case) or self.now + 1) > self.now:
            before = open_offers(case)
            self.put(who, Due(at=self.now - HOUR_US))
            after = self.cases[who]
            assert after is not None and {o.offer_id for o in before} <= {o.offer_id for o in open_offers(after)}

    @rule(who=st.sampled_from(CASES), pick=chosen, rung=st.integers(0, 2), reason=st.sampled_from(REASONS))
    def rung_failed(self, who: str, pick: int, rung: int, reason: str) -> None:
        offer = self.an_offer(who, pick, ended=pick % 7 == 0)
        if offer is not None:
            rung = offer.rung if pick % 2 else rung
            self.put(who, e.RungFailed(offer_id=offer.offer_id, rung=rung, reason=reason, at=self.now))

    @rule(who=st.sampled_from(CASES), pick=chosen)
    def rung_reached(self, who: str, pick: int) -> None:
        offer = self.an_offer(who, pick, ended=pick % 7 == 0)
        if offer is not None:
            self.put(who, e.RungReached(offer_id=offer.offer_id, rung=offer.rung, at=self.now))

    @rule(who=st.sampled_from(CASES), pick=chosen, word=st.sampled_from(["LOOKS", "CANNOT"]), person=st.integers(1, 9))
    def knock_answered(self, who: str, pick: int, word: str, person: int) -> None:
        """Nothing that anybody says from a handset does more than acknowledge."""
        offer = self.an_offer(who, pick, ended=pick % 5 == 0)
        if offer is not None:
            told: Any = {"rung": 0, "person": str(uuid.UUID(int=person)), "channel": "sms", "reference": str(uuid.UUID(int=pick))}
            before = self.cases[who]
            self.put(who, e.KnockAnswered(offer_id=offer.offer_id, task_id=None, word=word, at=self.now, **told))
            after = self.cases[who]
            assert before is not None and after is not None
            states = {o.offer_id: o.state for o in open_offers(before)}
            assert {o.state for o in open_offers(after) if o.state != states.get(o.offer_id, "OFFERED")} <= {"ACKNOWLEDGED"}
            lapsed = {e_.why.rule for e_ in self.log[-1][3] if isinstance(e_, e.OfferClosed)} <= {"consent-withdrawn"}
            assert offer.how or offer.offer_id in {o.offer_id for o in open_offers(after)} or lapsed, "but time has ended a consent"

    @rule(who=st.sampled_from(CASES), pick=chosen, kind=st.sampled_from(["AGENCY", "STAFF", "RELATION"]))
    def exclude(self, who: str, pick: int, kind: str) -> None:
        agencies = sorted(self.whole.agencies)
        offer = self.an_offer(who, pick, ended=False)
        asked = offer.agency if offer is not None and pick % 2 else agencies[pick % len(agencies)]
        actor = {"AGENCY": asked, "STAFF": STAFF, "RELATION": ("parent", "relative")[pick % 2]}[kind]
        self.put(who, e.ActorExcluded(agency="dsw", by=None, kind=e.ActorKind(kind), actor=actor, received_at=self.now))

    @rule(who=st.sampled_from(CASES), traits=traits)
    def other_traits(self, who: str, traits: e.Traits) -> None:
        self.put(who, e.TraitsChanged(agency="dsw", by=None, traits=traits, received_at=self.now))

    @rule(who=st.sampled_from(CASES), state=st.sampled_from([s.value for s in e.ConsentState]), pick=chosen)
    def consent(self, who: str, state: str, pick: int) -> None:
        """Half of the time without bounds; else for a while, for some sections, for those asked now and one more."""
        case = self.cases[who]
        asked = tuple(offer.agency for offer in open_offers(case))[: pick % 5] if case else ()
        bounds: dict[str, Any] = {}
        if pick % 2:
            bounds = {"until": self.now + (pick % 60) * HOUR_US, "scope": ("identity", "contact"), "recipients": (*asked, "dsw")}
        value = msgstructs.replace(AGREE, state=e.ConsentState(state), **bounds)
        self.put(who, e.ConsentChanged(agency="dsw", consent=value, received_at=self.now))

    @rule(
        who=st.sampled_from(CASES),
        word=st.sampled_from(WORDS),
        pick=chosen,
        seat=st.sampled_from([0, 0, 0, 1, 2, 3]),
        fits=st.booleans(),
        desk=st.sampled_from(["dsw", "dsw", "desk-prizren", "iom"]),
    )
    def instruct(self, who: str, word: e.Instruction, pick: int, seat: int, fits: bool, desk: str) -> None:
        """Half of the time what is possible, else anything."""
        case = self.cases[who]
        runs = [(track, run) for _, track, run, _ in seats(case) if not track.outcome] if case else []
        services, steps = sorted(self.whole.services), sorted({step.id for p in self.whole.current for step in p.asking})
        step, aim = steps[pick % len(steps)], services[pick % len(services)]
        if fits and runs:
            track, run = runs[pick % len(runs)]
            rule_ = self.policy.pinned[track.digest].by_id[run.step]
            step, seat = run.step, min(seat, len(rule_.seats) - 1)
            roles = {*rule_.seats[seat].roles, *rule_.seats[seat].last_resort, *(rule_.placement.until_known if rule_.placement else ())}
            right = [*rule_.codes, "settled", *(id for id, service in sorted(self.policy.services.items()) if service.roles & roles)]
            aim = right[pick % len(right)]
        if word is e.Instruction.REOPEN:
            aim = "" if pick % 2 else self.whole.current[pick % len(self.whole.current)].id
        self.put(who, self.order(word, step if pick % 9 else "", seat, aim, desk))

    @rule(who=st.sampled_from(CASES), word=st.sampled_from([e.Instruction.CONFIRM, e.Instruction.REFUSE]), pick=chosen)
    def complaint(self, who: str, word: e.Instruction, pick: int) -> None:
        """Oversight, or now and then a desk, answers what is proposed to it."""
        case = self.cases[who]
        for task in case.tasks if case is not None else ():
            if task.about.startswith("complaint"):
                order = self.order(word, task.step, 0, "", task.desk if pick % 5 else "dsw")
                return self.put(who, msgstructs.replace(order, task_id=task.task_id))
        return None

    @precondition(lambda self: self.count > 25)
    @rule(who=st.sampled_from(CASES))
    def close(self, who: str) -> None:
        self.put(who, self.order(e.Instruction.CLOSE, "", 0, "", "dsw"))

    @rule(who=st.sampled_from(CASES))
    def withdraw(self, who: str) -> None:
        referral = str(uuid.UUID(int=0xA000))
        self.put(who, e.ReferralWithdrawn(referral_id=referral, agency="school-drita", reason="other", received_at=self.now))

    @rule(who=st.sampled_from(CASES))
    def lose(self, who: str) -> None:
        self.put(who, RecordLost(topic="referral-intake", seq=self.count, reason="gap"))

    @rule(who=st.sampled_from(CASES), body=st.sampled_from([PLAIN]))
    def unknown(self, who: str, body: Struct) -> None:
        self.put(who, body)
