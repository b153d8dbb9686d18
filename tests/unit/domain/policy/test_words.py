"""Every word of docs/policy.md arrives in the compiled procedure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from referral.domain.durations import HOUR_US
from referral.domain.policy import Policy, compile
from referral.domain.policy.directory import Hours
from referral.domain.policy.limits import Limit
from referral.domain.policy.procedure import Change, ConsentRule, Pathway, Step
from tests.stories.teller import POLICY

FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
TRIAL = """
pathway: trial
version: 3
words:
  pathway: {trial: &four {sq: "Provë", sr-Latn: "Proba", sr-Cyrl: "Проба", en: "Trial"}}
  step: {trial-visit: *four, trial-triage: *four, trial-stay: *four, trial-watch: *four, trial-counts: *four, trial-tell: *four}
  decision: {trial-clear: *four, trial-taken: *four}
  concern: {trial: *four}
  flag: {trial-late: *four}
applies: {concern: [trial], age: [child, uncertain]}
consent: {needed: true, basis: consent, on_withdrawal: anonymous}
changes:
  - {when: {age: [adult]}, switch_to: trafficking-adult}
  - {when: {trial-triage: [trial-taken], found_in: [prizren]}, also_open: trafficking-child, pause: true}
never: [detention, excluded-actor]
on_missed_deadline: nothing
ladder: [focal-point, back-up]
seal: true
steps:
  - id: trial-visit
    ask_together:
      csw: {role: social-worker, shows: [identity], statutory: true, requires: [trained-interviewer], last_resort: [hospital]}
      police: {role: police-thbs, area: [country], ladder: [duty-officer, back-up]}
    area: [found-in, neighbour]
    shows: [contact]
    basis: [duty-to-report, court-order]
    unless: {flags: [trial-late], consent: [withdrawn, refused], trial-watch: [done]}
    without_consent: true
    within: {acknowledge: 15 min P, accept: 3 working days D}
  - id: trial-triage
    decide: [trial-clear, trial-taken]
    who: [trial-visit.csw]
    on_silence: trial-taken
    after: [trial-visit.accepted]
    within: {decide: 24 h S}
  - id: trial-stay
    place: [children-shelter, emergency-foster]
    secure: [state-secure-facility]
    secure_needs: [trial-triage.trial-clear]
    when: {age_band: ["0-5", "6-11"], home: [prizren, gjilan], consent: [given]}
    after: [trial-triage.decided]
    within: {accept: 1 h P, arrive: 6 h P}
  - id: trial-watch
    ask: trial-visit.csw
    after: [trial-stay.arrived]
    at: [30 days P, 91 days D]
    then_every: 91 days S
    until: [trial-triage.trial-clear]
    within: {complete: 10 working days P}
  - {id: trial-tell, notify: child-rights-coordinator, after: [trial-visit.accepted]}
  - {id: trial-counts, feed: [committee, rights-adviser], every: month}
close_when: {done: [trial-visit, trial-triage]}
"""


def policy_with(text: str = TRIAL) -> Policy:
    return compile({**FILES, "pathways/trial.yaml": text.encode()})


POLICY_ = policy_with()
PATHWAY = next(pathway for pathway in POLICY_.current if pathway.id == "trial")


def step(id: str) -> Step:
    found = PATHWAY.step(id)
    assert found is not None
    return found


def test_the_whole() -> None:
    assert (PATHWAY.version, PATHWAY.seal, PATHWAY.raises) == (3, True, "")
    assert PATHWAY.consent == ConsentRule(needed=True, basis="consent", on_withdrawal="anonymous")
    assert PATHWAY.changes == (
        Change((frozenset({"age=adult"}),), switch_to="trafficking-adult"),
        Change((frozenset({"trial-triage.trial-taken"}), frozenset({"found_in=prizren"})), also_open="trafficking-child", pause=True),
    )


def test_conditions_look_at_every_circumstance_and_at_steps_below() -> None:
    assert step("trial-visit").unless == {"flags=trial-late", "consent=withdrawn", "consent=refused", "trial-watch.done"}
    assert step("trial-stay").when == (
        frozenset({"age_band=0-5", "age_band=6-11"}),
        frozenset({"home=prizren", "home=gjilan"}),
        frozenset({"consent=given"}),
    )
    assert {"trial-visit", "trial-watch"} <= step("trial-visit").reads and "trial-triage" in step("trial-watch").reads


def test_numbers_keep_their_marks_which_change_no_time() -> None:
    limits = step("trial-visit").limits
    assert limits == {"acknowledge": Limit(15, "min"), "accept": Limit(3, "working days")}
    assert [limits[name].source for name in ("acknowledge", "accept")] == ["P", "D"]


def test_repetition() -> None:
    watch = step("trial-watch")
    assert watch.at == (Limit(30, "days"), Limit(91, "days")) and [limit.source for limit in watch.at] == ["P", "D"]
    assert watch.then_every == Limit(91, "days") and watch.until == {"trial-triage.trial-clear"}
    assert watch.seats[0].holder == ("trial-visit", 0) and watch.seats[0].statutory


def test_a_place_is_a_list_of_roles_or_a_table() -> None:
    placement = step("trial-stay").placement
    assert placement is not None
    assert (placement.by, placement.roles, placement.until_known) == ("", {}, ("children-shelter", "emergency-foster"))
    assert (placement.secure, placement.needs) == ({"state-secure-facility"}, {"trial-triage.trial-clear"})


def test_who_is_asked_and_what_is_told() -> None:
    csw, police = step("trial-visit").seats
    assert (csw.roles, csw.areas, csw.ladder) == (("social-worker", "hospital"), ("found-in", "neighbour"), ("focal-point", "back-up"))
    assert (csw.shows, csw.skills, csw.statutory) == (("identity",), {"trained-interviewer"}, True)
    assert (police.roles, police.areas, police.ladder) == (("police-thbs",), ("country",), ("duty-officer", "back-up"))
    assert (police.shows, police.statutory) == (("contact",), False)
    assert step("trial-visit").basis == ("duty-to-report", "court-order") and step("trial-visit").without_consent
    assert step("trial-counts").feeds == ("committee", "rights-adviser")
    assert step("trial-triage").on_silence == "trial-taken"


def test_words_of_a_procedure_are_codes_with_names_like_all_others() -> None:
    assert POLICY_.names("step", "trial-visit", "sr-Cyrl") == "Проба" and "trial-late" in POLICY_.codes["flag"]
    assert POLICY_.names("pathway", "trial", "sq") == "Provë" and "trial-taken" in POLICY_.codes["decision"]


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        ('{days: [mon, fri], from: "08:00", to: "16:30"}', Hours((0, 4), 8 * HOUR_US, 16 * HOUR_US + HOUR_US // 2)),
        ('{days: [sun, sat], from: "00:00", to: "24:00"}', Hours((5, 6), 0, 24 * HOUR_US)),
    ],
)
def test_an_agency_has_hours_or_is_there_day_and_night(hours: str, found: Hours) -> None:
    path = "directory/csw-prizren.yaml"
    policy = compile({**FILES, path: FILES[path].split(b"\nhours:")[0] + f"\nhours: {hours}\n".encode()})
    assert policy.agencies["csw-prizren"].hours == found
    assert replace(policy.agencies["csw-prizren"], hours=None) == compile(FILES).agencies["csw-prizren"]


def test_it_is_a_pathway() -> None:
    assert isinstance(PATHWAY, Pathway) and PATHWAY.digest in POLICY_.pinned
