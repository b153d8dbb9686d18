"""No agency alone ends a child's protection: whatever one agency sends, in any order, what another has taken by duty of law stands."""

from __future__ import annotations

import uuid

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from msgspec import structs as msgstructs

from referral.domain import events as e
from referral.domain.case import Case, Offer, find, open_offers, seats
from referral.domain.policy.directory import Service
from tests.harness.two_cases.moves import AGREE, WORDS, Sends, chosen, traits
from tests.harness.two_cases.world import CASES, SHIPPED

CHILD = sorted(pathway.id for pathway in SHIPPED.current if not pathway.consent.needed)
"""The procedures that rest on a duty, and not on the person's agreement."""
TAKEN = ("ACCEPTED", "ARRIVED")
CASE = CASES[0]


def statutory(case: Case) -> list[Offer]:
    """Open offers of seats that rest on a duty by law; a decision is made, and not held."""
    found = []
    for _, track, run, seat in seats(case):
        step = SHIPPED.pinned[track.digest].by_id[run.step]
        number = run.seats.index(seat)
        if step.kind is not e.StepKind.DECIDE and step.seats[number].statutory and seat.offer is not None and not seat.offer.how:
            found.append(seat.offer)
    return found


class OneAgency(Sends):
    """One agency (the sender, or one that holds an offer) sends whatever it can; everybody else is silent, and no time passes."""

    @initialize(
        begins=st.sampled_from(CHILD),
        ahead=st.lists(chosen, min_size=1, max_size=25),
        who=chosen,
        consent=st.sampled_from([None, AGREE]),
        first=traits,
    )
    def world(self, begins: str, ahead: list[int], who: int, consent: e.Consent | None, first: e.Traits) -> None:
        pathway = next(p for p in self.whole.current if p.id == begins)
        fits: dict[str, object] = {"age": "child", "age_band": "12-14", "found_in": "prizren"}
        for group in pathway.applies:
            name, _, value = min(group).partition("=")
            fits[name] = (value,) if name == "flags" else value
        self.put(CASE, self.referral(msgstructs.replace(first, **fits), consent))
        for pick in ahead:
            self.helpful_answer(CASE, pick, 0)
        agencies = sorted({o.agency for o in open_offers(self.case) if not self.whole.agencies[o.agency].desk})
        self.agency = (["school-drita"] * 3 + agencies)[who % (3 + len(agencies))]
        self.taken = {o.offer_id: o.service for o in statutory(self.case) if o.agency != self.agency and o.state in TAKEN}
        self.own = {o.offer_id: o.service for o in statutory(self.case) if o.agency == self.agency and o.state in TAKEN}
        self.gave_up: set[str] = set()

    @property
    def case(self) -> Case:
        found = self.cases[CASE]
        assert found is not None
        return found

    @rule(changed=traits, band=st.sampled_from(["12-14", "18-120", "0-5"]), only=st.sampled_from([(), ("age", "age_band"), ("found_in",)]))
    def says_traits(self, changed: e.Traits, band: str, only: tuple[str, ...]) -> None:
        said = msgstructs.replace(changed, age_band=band)
        self.put(CASE, e.TraitsChanged(agency=self.agency, by=None, traits=said, received_at=self.now, only=only))

    @rule(age=st.sampled_from(["adult", "child", "uncertain"]), concern=st.sampled_from([*SHIPPED.codes["concern"], ""]))
    def says_age(self, age: str, concern: str) -> None:
        now = self.case.traits
        said = msgstructs.replace(now, age=age, concern=concern or now.concern)
        self.put(CASE, e.TraitsChanged(agency=self.agency, by=None, traits=said, received_at=self.now))

    @rule(state=st.sampled_from(["WITHDRAWN", "REFUSED", "GIVEN", "UNKNOWN"]), pick=chosen)
    def says_consent(self, state: str, pick: int) -> None:
        bounds = {"until": self.now + 1, "scope": ("contact",), "recipients": (self.agency,)} if pick % 2 else {}
        value = msgstructs.replace(AGREE, state=e.ConsentState(state), **bounds)
        self.put(CASE, e.ConsentChanged(agency=self.agency, consent=value, received_at=self.now))

    @rule(pick=chosen, kind=st.sampled_from(["AGENCY", "AGENCY", "AGENCY", "STAFF", "RELATION"]))
    def excludes(self, pick: int, kind: str) -> None:
        held = sorted({o.agency for o in open_offers(self.case)} | {"desk-prizren", "dsw", "ombudsperson"} | set(self.police))
        actor = {"AGENCY": held[pick % len(held)], "STAFF": str(uuid.UUID(int=7)), "RELATION": "parent"}[kind]
        self.put(CASE, e.ActorExcluded(agency=self.agency, by=None, kind=e.ActorKind(kind), actor=actor, received_at=self.now))

    @rule(pick=chosen, changed=traits)
    def refers_again(self, pick: int, changed: e.Traits) -> None:
        held = sorted({o.agency for o in open_offers(self.case)})
        away = (f"agency:{held[pick % len(held)]}",) if held else ()
        self.put(CASE, msgstructs.replace(self.referral(changed, AGREE, away), agency=self.agency))

    @rule(
        pick=chosen,
        word=st.sampled_from([w for w in e.Word if w not in (e.Word.UNKNOWN, e.Word.DECIDE)]),
        reason=st.sampled_from(["OUT_OF_AREA", "CONFLICT_OF_INTEREST", "PERSON_DECLINED", "NO_CAPACITY"]),
        anybodys=st.booleans(),
    )
    def answers(self, pick: int, word: e.Word, reason: str, anybodys: bool) -> None:
        found = [o for o in open_offers(self.case) if anybodys or o.agency == self.agency]
        if found:
            offer = found[pick % len(found)]
            self.respond(CASE, offer.offer_id, self.agency, word, reason, pick, ("reason", "child-view"))
            if offer.agency == self.agency:
                self.gave_up.add(offer.offer_id)
                if word is e.Word.COMPLETE:  # the service has done its work: another seat of it ended while this one stood for the duty
                    self.gave_up |= {id for id, service in self.own.items() if service == offer.service}

    @rule()
    def takes_it_back(self) -> None:
        self.put(CASE, e.ReferralWithdrawn(referral_id=self.case.referrals[0], agency=self.agency, reason="other", received_at=self.now))

    @rule(word=st.sampled_from(WORDS), pick=chosen)
    def orders(self, word: e.Instruction, pick: int) -> None:
        runs = [run.step for track in self.case.tracks for run in track.runs] or [""]
        self.put(CASE, self.order(word, runs[pick % len(runs)], 0, "settled", self.agency))

    @property
    def police(self) -> set[str]:
        return {s.agency for s in _of_duty()}

    @invariant()
    def what_others_have_taken_by_duty_stands(self) -> None:
        if self.cases[CASE] is None or not hasattr(self, "taken"):
            return
        serving = {o.service for o in open_offers(self.case) if o.state in TAKEN}
        for offer_id, service in {**self.taken, **{id: s for id, s in self.own.items() if id not in self.gave_up}}.items():
            found = find(self.case, offer_id)
            assert found is not None
            assert not found.offer.how or found.offer.how == "COMPLETED" or service in serving, (
                f"{self.agency} alone ended {service}: {found.offer.how} {found.offer.reason}"
            )

    @invariant()
    def a_child_is_a_child_until_two_say_otherwise(self) -> None:
        if self.cases[CASE] is not None and getattr(self, "taken", None):
            running = [self.whole.pinned[t.digest] for t in self.case.tracks if not t.outcome]
            assert not running or any(not pathway.consent.needed for pathway in running), f"{self.agency} alone made it rest on consent"


def _of_duty() -> list[Service]:
    roles = {role for p in SHIPPED.current for s in p.steps for r in s.seats if r.statutory for role in r.roles}
    return [s for s in SHIPPED.services.values() if s.roles & roles and "prizren" in s.covers]


TestOneAgency = OneAgency.TestCase
TestOneAgency.settings = settings(max_examples=150, stateful_step_count=15, suppress_health_check=list(HealthCheck), print_blob=True)
