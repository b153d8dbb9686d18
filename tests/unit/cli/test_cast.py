"""The made-up people of a local stack: one for each rung of each agency, in a language that the pages have."""

from __future__ import annotations

from pathlib import Path

from referral.cli.stack import cast
from referral.domain.policy import compile
from referral.runtime import passwords
from tests.stories.teller import POLICY

AGENCIES = compile({path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}).agencies


def test_every_rung_of_every_agency_has_somebody_who_can_read_a_page() -> None:
    made = cast.members(AGENCIES.values())
    assert {(member.agency, member.rung) for member in made} == {(a.id, rung) for a in AGENCIES.values() for rung in a.ladder}
    assert {member.language for member in made} == set(passwords.LANGUAGES)
    assert len({member.account for member in made}) == len({member.email for member in made}) == len(made)


def test_the_first_reads_the_first_language_of_the_agency_that_there_are_pages_in() -> None:
    made = {member.login: member.language for member in cast.members(AGENCIES.values())}
    assert made["csw-prizren.focal-point"] == "sq"
    assert made["csw-zvecan.focal-point"] == "sr-Cyrl"
    assert made["school-dragash.back-up"] == "sr-Latn", "Bosnian is spoken there, but no page speaks it"


def test_a_cast_keeps_its_password_and_its_tokens_when_agencies_join(tmp_path: Path) -> None:
    few = [AGENCIES["csw-prizren"], AGENCIES["dsw"]]
    before, after = cast.gather(tmp_path, few), cast.gather(tmp_path, AGENCIES.values())
    assert after.password == before.password
    assert after.tokens["dsw"] == before.tokens["dsw"] and set(after.tokens) == set(AGENCIES)
    assert cast.load(tmp_path) == after
