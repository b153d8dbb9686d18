"""Bans and homes are data: no child who may be under three goes to an institution, nobody is locked up without a court, and a bundle of
before says what it said."""

from __future__ import annotations

import re

import pytest

from referral.domain.policy import Policy, PolicyErrors, compile
from referral.domain.policy.directory import HOME, HOMES_BEFORE, LOCKED
from referral.domain.policy.procedure import Ban
from tests.stories.teller import POLICY, World

FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
SHIPPED = compile(FILES)
OAK = "institution-old-oak.beds"
PLACED = ("csw: ACCEPT", "csw: ARRIVE", "protection: DECIDE place person=1", "protection.1: DECIDE place person=2")
"""Two persons of the centre agree that the child is placed."""


def before(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files as they were written before bans and homes were data."""
    codes = re.sub(r"(?m)^ban:\n(  .*\n)+", "", files["codes.yaml"].decode())
    old = {"codes.yaml": re.sub(r", (home|locked|judges|old): true", "", codes).encode()}
    for path, data in files.items():
        if path.startswith("pathways/"):
            old[path] = re.sub(r", (institution-under-three|locked-without-court)", "", data.decode()).encode()
    return {**files, **old}


def asked(policy: Policy, band: str) -> set[str]:
    """Return every service that a child of this band is offered while nobody of those before it takes it."""
    world = World(policy, {})
    for line in (f"refer concern=without-parental-care age_band={band}", *PLACED):
        world.tell(line)
    found = set[str]()
    for _ in range(40):
        said = re.findall(r"offer care-place to (\S+)", "\n".join(world.tell("care-place: DECLINE NO_CAPACITY")))
        if not said:
            return found
        found |= set(said)
    raise AssertionError("it goes on for ever")


@pytest.mark.parametrize(
    ("band", "may"), [("0-2", False), ("0-5", False), ("unknown", False), ("3-5", True), ("6-11", True), ("15-17", True)]
)
def test_who_may_be_under_three_never_goes_to_an_institution(band: str, may: bool) -> None:
    assert (OAK in asked(SHIPPED, band)) is may


def test_no_order_of_a_desk_sends_a_toddler_to_an_institution() -> None:
    world = World(SHIPPED, {})
    for line in ("refer concern=without-parental-care age_band=0-2", *PLACED):
        world.tell(line)
    assert world.tell(f"desk OFFER care-place {OAK}") == ["ignored NEVER"]


def test_a_bundle_of_before_has_the_bans_and_homes_of_before() -> None:
    old = compile(before(FILES))
    assert old.properties == {HOME: HOMES_BEFORE} and SHIPPED.properties[HOME] == HOMES_BEFORE
    by_id = {pathway.id: pathway for pathway in old.current}
    assert by_id["without-parental-care"].never == (
        Ban("detention", "detention"),
        Ban("residential-institution-for-disabled-child", "residential-institution", (frozenset({"flags=disability"}),)),
    )
    assert not any(pathway.locked for pathway in old.current) and OAK in asked(old, "0-2")


TRIAL = """\
pathway: trial
version: 1
words:
  pathway: {trial: &four {sq: "Provë", sr-Latn: "Proba", sr-Cyrl: "Проба", en: "Trial"}}
  step: {trial-a: *four, trial-b: *four, trial-c: *four, trial-d: *four}
applies: {concern: [trafficking], age: [child]}
consent: {needed: false, basis: duty-to-report, on_withdrawal: continue}
never: [detention, locked-without-court]
on_missed_deadline: nothing
ladder: [focal-point, back-up]
steps:
  - {id: trial-a, ask: judge, guidance: [first-contact], within: {accept: 1 h P}}
  - {id: trial-b, decide: [agree, refuse], who: [trial-a], on_silence: keep-place, guidance: [closed-facility], within: {decide: 24 h P}}
  - {id: trial-c, place: [children-shelter, state-secure-facility], secure: [state-secure-facility], secure_needs: [trial-b.agree],
     guidance: [choosing-a-place], within: {accept: 1 h P, arrive: 6 h P}}
  - {id: trial-d, place: [children-shelter], guidance: [choosing-a-place], within: {accept: 1 h P, arrive: 6 h P}}
close_when: {done: [trial-c]}
"""
WITHOUT = [
    ("no judge", "ask: judge", "ask: social-worker", "no court decides it"),
    ("other needs", "secure_needs: [trial-b.agree]", "secure_needs: [trial-a.accepted]", "no court decides it"),
    ("not under secure", "secure: [state-secure-facility], secure_needs: [trial-b.agree],", "", "only a step that names it under secure"),
    (
        "a last resort",
        "place: [children-shelter], ",
        "place: [children-shelter], last_resort: [state-secure-facility], ",
        "only a step that",
    ),
    ("a plain step", "ask: judge", "ask: state-secure-facility", "only a step that names it under secure"),
]


def trial(text: str) -> Policy:
    return compile({**FILES, "pathways/trial.yaml": text.encode()})


def test_a_court_may_decide_it() -> None:
    assert next(one for one in trial(TRIAL).current if one.id == "trial").locked == SHIPPED.properties[LOCKED]


def test_silence_is_no_decision_of_a_court() -> None:
    with pytest.raises(PolicyErrors, match="agree states a fact that somebody must have seen"):
        trial(TRIAL.replace("on_silence: keep-place", "on_silence: agree"))


@pytest.mark.parametrize(("old", "new", "why"), [w[1:] for w in WITHOUT], ids=[w[0] for w in WITHOUT])
def test_check_refuses_to_lock_up_without_a_court(old: str, new: str, why: str) -> None:
    assert old in TRIAL
    with pytest.raises(PolicyErrors) as caught:
        trial(TRIAL.replace(old, new))
    assert any("state-secure-facility locks people up" in error and why in error for error in caught.value.errors)
    trial(TRIAL.replace(old, new).replace(", locked-without-court", ""))


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("{tag: detenion}", "did you mean detention"),
        ("{when: {age: [child]}}", "tag is missing"),
        ("{tag: detention, when: {colour: [red]}}", "colour is no circumstance"),
        ('{tag: detention, when: {age_band: ["0-3"]}}', "age_band 0-3 is not known"),
    ],
)
def test_a_ban_that_means_nothing_is_refused(rule: str, why: str) -> None:
    codes = FILES["codes.yaml"].replace(b"detention: {tag: detention}", f"detention: {rule}".encode())
    with pytest.raises(PolicyErrors) as caught:
        compile({**FILES, "codes.yaml": codes})
    assert any(error.startswith("codes.yaml:") and why in error for error in caught.value.errors)
