"""The person's agreement: what waits for it, and what ends when it is refused, taken back, narrowed or has run out."""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import replace as changed

from referral.domain import events as e
from referral.domain.case import next_due, open_offers
from referral.domain.durations import DAY_US, HOUR_US
from referral.domain.policy.procedure import ConsentRule
from tests.harness.made_up import SHIPPED, pathway, step, told, with_pathways
from tests.stories.teller import World, replayed


def world(rule: str, **more: object) -> World:
    """Health needs consent; the police are asked without."""
    made = pathway(
        step("police", without_consent=True), step("health"), consent=ConsentRule(needed=True, basis="consent", on_withdrawal=rule), **more
    )
    return World(with_pathways(made))


def consent(world: World, state: str = "GIVEN", **more: object) -> list[str]:
    values = {"state": e.ConsentState(state), "basis": "consent", "giver": "person", "scope": (), "recipients": (), "until": None, **more}
    said = world.put(e.ConsentChanged(agency="desk-prishtine", consent=e.Consent(**values), received_at=world.now))  # type: ignore[arg-type]
    replayed(world)
    return [world.short(event) for event in said]


def test_until_somebody_has_asked_only_what_needs_no_consent_is_done_and_a_desk_asks() -> None:
    here = world("stop")
    said = told(here, "refer", "police: ACCEPT")
    assert not any("health" in line for line in said) and "desk desk-prishtine rung 0 consent-missing until then +1 d" in said
    assert here.case is not None and not here.case.closed, "what needs consent is still to come"
    said = consent(here)
    assert any(line.startswith("offer health") for line in said) and "desk settled done" in said
    assert not here.case.tasks


def test_a_refusal_settles_the_task_and_what_needed_consent_holds_nothing_up() -> None:
    here = world("anonymous")
    told(here, "refer", "police: ACCEPT")
    said = consent(here, "REFUSED")
    assert "desk settled track-ended" in said and said[-1] == "case closed done"


def test_a_withdrawal_takes_back_what_needs_consent_and_the_rest_goes_on() -> None:
    here = world("anonymous")
    told(here, "refer")
    consent(here)
    told(here, "health: ACCEPT")
    said = consent(here, "WITHDRAWN")
    assert "closed health health-prishtine.check CANCELLED CONSENT_WITHDRAWN" in said and "done health not-needed" in said
    assert here.case is not None and [offer.agency for offer in open_offers(here.case)] == ["police-prishtine"]
    said = consent(here)
    assert "open health round 1" in said, "consent can be given again"


def test_a_withdrawal_can_end_a_procedure_and_what_was_taken_is_not_called_completed() -> None:
    here = world("stop")
    told(here, "refer", "police: ACCEPT")
    consent(here)
    said = consent(here, "WITHDRAWN")
    assert said[-2:] == ["track trafficking-child ENDED consent-withdrawn", "case closed done"]
    assert "closed police police-prishtine.thbs CANCELLED CONSENT_WITHDRAWN" in said
    said = consent(here)
    assert any("consent-again" in line for line in said), "a desk reopens"


def test_a_withdrawal_may_end_nothing() -> None:
    here = world("continue")
    told(here, "refer")
    consent(here)
    assert consent(here, "WITHDRAWN") == ["case changed recorded"]
    said = told(here, "health: DECLINE NO_CAPACITY")
    assert any(line.startswith("offer health to hospital") for line in said), "what has begun is looked after"
    told(here, "police: ACCEPT", "health: ACCEPT", "health: COMPLETE")
    assert here.case is not None and here.case.closed


def test_consent_runs_out_at_its_time() -> None:
    here = world("anonymous")
    told(here, "refer", "police: ACCEPT")
    consent(here, until=here.now + HOUR_US)
    told(here, "health: ACCEPT")
    assert here.case is not None and next_due(here.case) == here.now + HOUR_US
    said = told(here, "alarm")
    assert "closed health health-prishtine.check CANCELLED CONSENT_WITHDRAWN" in said and said[-1] == "case closed done"


def test_consent_that_has_run_out_counts_at_any_input() -> None:
    here = world("anonymous")
    told(here, "refer")
    consent(here, until=here.now + HOUR_US)
    here.now += HOUR_US
    assert any("CONSENT_WITHDRAWN" in line for line in told(here, "police: ACKNOWLEDGE"))


def test_who_is_not_among_the_recipients_is_passed_over_and_asked_nothing_more() -> None:
    here = world("anonymous")
    told(here, "refer", "police: ACCEPT")
    said = consent(here, recipients=("hospital-prishtine",))
    assert any(line.startswith("offer health to hospital-prishtine") and "NOT_CONSENTED" in line for line in said)
    said = consent(here, recipients=("health-prishtine",))
    assert any(line.startswith("closed health hospital-prishtine") and line.endswith("CANCELLED CONSENT_WITHDRAWN") for line in said)
    assert any(line.startswith("offer health to health-prishtine") for line in said)


def test_an_offer_shows_no_more_than_was_agreed_to() -> None:
    here = world("anonymous")
    told(here, "refer")
    consent(here, scope=("medical",))
    (asked,) = [event for *_, events in here.log for event in events if isinstance(event, e.OfferOpened) and event.step == "health"]
    assert asked.shows == ("medical",)


def test_without_consent_nothing_tells_who_the_person_is() -> None:
    here = world("anonymous")
    told(here, "refer")
    (asked,) = [event for *_, events in here.log for event in events if isinstance(event, e.OfferOpened)]
    assert asked.step == "police" and not any(SHIPPED.sections[section].personal for section in asked.shows)


def test_a_track_that_stands_still_honours_a_withdrawal_too() -> None:
    here = world("stop")
    told(here, "refer")
    consent(here)
    told(here, "desk STOP")
    said = consent(here, "WITHDRAWN")
    assert "track trafficking-child ENDED consent-withdrawn" in said and here.case is not None and not open_offers(here.case)


def test_conditions_may_look_at_consent() -> None:
    refused = step("health", when=(frozenset({"consent=refused", "consent=withdrawn"}),))
    here = World(with_pathways(pathway(step("police"), refused)))
    assert not any("health" in line for line in told(here, "refer"))
    assert any(line.startswith("offer health") for line in consent(here, "REFUSED"))


def test_consent_given_with_the_referral_counts_from_the_first_moment() -> None:
    here = world("anonymous")
    body = here.body("refer")
    given = e.Consent(state=e.ConsentState.GIVEN, basis="consent", giver="person", scope=(), recipients=(), until=here.now + DAY_US)
    here.put(changed(body, consent=given))  # type: ignore[type-var]
    assert here.case is not None and {"health-prishtine", "police-prishtine"} == {offer.agency for offer in open_offers(here.case)}


def test_a_procedure_that_needs_no_consent_hears_of_it_and_goes_on() -> None:
    here = World(SHIPPED)
    told(here, "refer")
    assert consent(here, "WITHDRAWN") == ["case changed recorded"]
    assert replace(ConsentRule()) == ConsentRule(needed=False, basis="", on_withdrawal="continue")
