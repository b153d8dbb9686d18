"""What a page says that follows from a change, held against every shipped procedure."""

from __future__ import annotations

import pytest

from referral.domain.events import ConsentState
from referral.domain.policy.procedure import Pathway
from referral.runtime import i18n
from services.intake.pages import render
from services.intake.pages.writing import follows
from services.intake.pages.writing.follows import Follow
from tests.harness import shipped

POLICY = shipped.compiled()
PATHWAYS = {pathway.id: pathway for pathway in POLICY.current}
SAY = i18n.load(render.WORDS, *render.MORE)
ALL = [
    effect
    for pathway in POLICY.current
    for effect in (
        *(one for state in list(ConsentState)[1:] for one in follows.consent(pathway, state, ("identity",))),
        *(
            one
            for kind, actor in (("AGENCY", "a"), ("AGENCY", "own"), ("STAFF", "x"), ("RELATION", "parent"))
            for one in follows.keep_away(pathway, kind, actor, "own")
        ),
        *(one for age in POLICY.codes["age"] for one in follows.age(pathway, age)),
        *follows.place(),
    )
]


def keys(effects: tuple[Follow, ...]) -> list[str]:
    return [effect.key for effect in effects]


@pytest.mark.parametrize("pathway", POLICY.current, ids=lambda pathway: pathway.id)
@pytest.mark.parametrize("state", follows.ENDED)
def test_a_withdrawal_names_every_step_once_as_ending_or_going_on(pathway: Pathway, state: ConsentState) -> None:
    effects = {effect.key: effect for effect in follows.consent(pathway, state)}
    asking = {step.id for step in pathway.asking}
    if not pathway.consent.needed or pathway.consent.on_withdrawal == "continue":
        assert set(effects) == {"follows.consent.law"}
        return
    stops = set(effects["follows.consent.stops"].steps)
    goes_on = set(effects["follows.consent.anonymous"].steps) if "follows.consent.anonymous" in effects else set()
    assert stops | goes_on == asking and not stops & goes_on
    if pathway.consent.on_withdrawal == "stop":
        assert stops == asking
    else:
        assert goes_on == {step.id for step in pathway.asking if step.without_consent}
    assert set(effects["follows.consent.reads"].steps) <= stops


def test_a_step_that_ends_is_one_that_routing_ends() -> None:
    """`consent_withdrawal.honour` drops what is not without_consent; this says the same of the adult's procedure."""
    stops = next(e for e in follows.consent(PATHWAYS["trafficking-adult"], ConsentState.WITHDRAWN) if e.key == "follows.consent.stops")
    assert {"police", "support", "shelter"} <= set(stops.steps) and not {"ngo", "duty-record", "dependants"} & set(stops.steps)


def test_an_exclusion_says_the_same_of_every_agency_but_ones_own() -> None:
    for pathway in POLICY.current:
        said = {follows.keep_away(pathway, "AGENCY", agency, "own") for agency in POLICY.agencies}
        assert len(said) == 1, "whether an agency has to do with the case cannot be told from the page"
        assert keys(follows.keep_away(pathway, "AGENCY", "own", "own"))[0] == "follows.away.own"


def test_an_excluded_parent_is_no_guardian() -> None:
    effects = follows.keep_away(PATHWAYS["trafficking-child"], "RELATION", "parent", "own")
    assert Follow("follows.away.forbids", steps=("guardian",), code="parent") in effects


def test_an_age_names_the_procedure_that_takes_over() -> None:
    adult = follows.age(PATHWAYS["trafficking-child"], "adult")
    assert Follow("follows.instead", code="trafficking-adult") in adult
    assert "follows.instead" not in keys(follows.age(PATHWAYS["trafficking-child"], "child"))


@pytest.mark.parametrize("language", i18n.ENDONYMS)
def test_every_effect_has_its_text_and_needs_nothing_else(language: str) -> None:
    assert len({effect.key for effect in ALL}) >= 14
    for effect in ALL:
        assert SAY[language](effect.key, steps="S", sections="D", code="C")


@pytest.mark.parametrize("kind", ["state", "kind", "giver"])
def test_every_choice_of_a_form_has_a_text(kind: str) -> None:
    words = {"state": follows.ENDED, "kind": ("AGENCY", "STAFF", "RELATION"), "giver": [g for g in POLICY.codes["giver"] if g != "none"]}
    assert all(SAY["en"].has(f"change.{kind}.{word}") for word in words[kind])
