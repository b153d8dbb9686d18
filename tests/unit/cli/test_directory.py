"""The made-up country that we ship: every place has its people, every name says that it is made up, no home's place is kept."""

from __future__ import annotations

import re

import pytest
import yaml

from referral.domain.events import Reach
from referral.domain.policy import compile
from referral.domain.policy.directory import LANGUAGES
from tests.stories.teller import POLICY

FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
SHIPPED = compile(FILES)
MARKS = {"sq": " (shembull)", "sr-Latn": " (primer)", "sr-Cyrl": " (пример)", "en": " (example)"}
OWN = ("social-worker", "health-house", "kin-care", "police", "school", "education-directorate")
"""Roles that every municipality has itself."""
REGION = (
    "child-rights-coordinator",
    "court",
    "day-support",
    "defence-lawyer",
    "disability-mobile-team",
    "education-directorate",
    "foster-family",
)
REGION += ("hospital", "judge", "labour-inspector", "police", "police-thbs", "probation", "prosecutor", "victim-advocate")
"""Roles that somebody has in the municipality itself or in its region."""
COUNTRY = (
    "adult-shelter",
    "defence-lawyer",
    "disability-mobile-team",
    "education-directorate",
    "emergency-foster",
    "foster-family",
    "institution",
)
COUNTRY += ("iom", "labour-inspector", "ngo-support", "police", "police-thbs", "probation", "prosecutor", "rights-team", "small-home")
COUNTRY += ("social-worker", "state-secure-facility", "welfare-department")
"""Roles that somebody has for the whole country: also where a municipality is not known."""
BEDS = {"children-shelter", "children-shelter-with-protection", "ngo-shelter", "state-secure-facility", "emergency-foster"}
BEDS |= {"hospital-under-protection", "foster-family", "small-home", "institution", "adult-shelter"}
BEDS |= {"child-protection-home", "parent-child-shelter"}
HOMES = re.compile("shelter|protection-home|secure|foster|small-home|institution")
NEWER = ("gracanice", "hani-i-elezit", "junik", "kllokot", "mamushe", "mitrovice-veriut", "partesh", "ranillug")
"""The municipalities that were founded after the source page was written."""
SERB = ("leposaviq", "novoberde", "shterpce", "zubin-potok", "zvecan", "gracanice", "kllokot", "mitrovice-veriut", "partesh", "ranillug")
"""Municipalities with a Serb majority (ours, for the example)."""
CYRILLIC = {"lj": "љ", "nj": "њ", "dž": "џ", **dict(zip("abvgdđežzijklmnoprstćufhcčš", "абвгдђежзијклмнопрстћуфхцчш", strict=True))}


def test_every_name_says_in_its_language_that_it_is_made_up() -> None:
    for agency in SHIPPED.agencies.values():
        assert all(agency.names[language].endswith(MARKS[language]) for language in LANGUAGES), agency.id


def test_the_cyrillic_name_is_the_latin_one_in_other_letters() -> None:
    for thing in (*SHIPPED.agencies.values(), *SHIPPED.municipalities.values()):
        read = re.sub("lj|nj|dž|.", lambda m: CYRILLIC.get(m[0], m[0]), thing.names["sr-Latn"].lower())
        assert read == thing.names["sr-Cyrl"].lower(), thing.id


@pytest.mark.parametrize("place", sorted(SHIPPED.municipalities))
def test_every_municipality_has_its_people(place: str) -> None:
    for role in OWN:
        assert SHIPPED.serving(role, "found-in", place), role
    for role in REGION:
        assert SHIPPED.order((role,), ("found-in", "region"), place, ""), role
    assert SHIPPED.municipalities[place].desk == f"desk-{place}"
    assert SHIPPED.agencies[f"desk-{place}"].above == "dsw"


def test_every_role_is_had_by_somebody_and_what_must_be_there_for_all_is() -> None:
    assert {role for service in SHIPPED.services.values() for role in service.roles} == set(SHIPPED.codes["role"])
    for role in COUNTRY:
        assert SHIPPED.serving(role, "country", ""), role


def test_a_centre_for_disability_is_nearby_or_a_team_comes() -> None:
    with_centre = {place for place in SHIPPED.municipalities if SHIPPED.serving("disability-centre", "found-in", place)}
    own = {SHIPPED.agencies[s.agency].municipality for s in SHIPPED.services.values() if "disability-centre" in s.roles}
    assert len(own) == 8 and own < with_centre < set(SHIPPED.municipalities)
    for place in own:
        assert SHIPPED.serving("disability-centre", "found-in", place)[0].agency == f"disability-centre-{place}"


def test_beds_are_counted_and_nothing_else_is() -> None:
    for service in SHIPPED.services.values():
        assert (service.places is None) == (not service.roles & BEDS), service.id


def test_a_shelter_for_adults_takes_no_child_and_each_takes_one_sex() -> None:
    sexes = [service for service in SHIPPED.services.values() if "adult-shelter" in service.roles]
    assert all(service.ages[0] >= 18 for service in sexes)
    assert {sex for service in sexes for sex in service.sexes} == {"female", "male"}


def test_27_of_the_first_30_municipalities_have_a_coordinator_and_the_others_have_one_in_their_region() -> None:
    without = {place.id for place in SHIPPED.municipalities.values() if not place.coordinator}
    assert without == {"novoberde", "shterpce", "zvecan", *NEWER}
    for place in SHIPPED.municipalities:
        told = SHIPPED.order(("child-rights-coordinator",), ("found-in", "region"), place, "")[0][0].agency
        assert told == (f"coordinator-region-{SHIPPED.municipalities[place].region}" if place in without else f"coordinator-{place}")


def test_the_first_language_of_a_municipality_s_agencies_is_that_of_most_people_there() -> None:
    for agency in SHIPPED.agencies.values():
        if agency.municipality in SERB:
            assert agency.languages[0].startswith("sr-"), agency.id


def test_nobody_lives_at_an_address_that_is_kept() -> None:
    """Not even the municipality of a house in which somebody is kept safe."""
    for service in SHIPPED.services.values():
        agency = SHIPPED.agencies[service.agency]
        if service.places is not None and any(HOMES.search(role) for role in service.roles):
            assert not agency.municipality or "hospital" in agency.id, agency.id


def test_some_are_reached_only_by_telephone() -> None:
    reached = [agency.reach for agency in SHIPPED.agencies.values()]
    assert 0.1 < reached.count(Reach.PHONE) / len(reached) < 0.2
    assert Reach.SYSTEM in reached


def test_who_must_come_at_night_has_no_office_hours_and_offices_have() -> None:
    closed = {role for service in SHIPPED.services.values() if SHIPPED.agencies[service.agency].hours for role in service.roles}
    assert closed == {"court", "judge", "school", "education-directorate", "labour-inspector", "probation"} | {
        "day-support",
        "disability-centre",
        "disability-mobile-team",
        "education-inspectorate",
    }
    for place in SHIPPED.municipalities:
        judges = [SHIPPED.agencies[service.agency] for service, _ in SHIPPED.order(("judge",), ("region",), place, "")]
        assert [judge.hours is None for judge in judges] == [False, True], "the court by day, the duty judge at any hour"


def test_every_file_of_the_directory_holds_one_agency_and_says_that_it_is_made_up() -> None:
    for path, data in FILES.items():
        if path.startswith("directory/"):
            assert data.decode().startswith("# Made up"), path
            assert yaml.safe_load(data)["agency"] == path.removeprefix("directory/").removesuffix(".yaml")
