"""What the operators' page lists is what the code has: settings, metrics, readiness, doctor; every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from referral.cli.admin.doctor.result import NAMES
from referral.runtime import settings
from tests.harness import settings_page

ROOT = Path(__file__).parents[3]
OPERATORS = (ROOT / "docs" / "operators.md").read_text("utf-8")
SOURCES = {
    file.relative_to(ROOT).as_posix(): file.read_text("utf-8")
    for folder in ("referral", "services")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if not {"events", "compiled"} & {*file.relative_to(ROOT).parts}
}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def table(after: str) -> set[str]:
    """The words in `…` in the first column of the first table after a heading."""
    rows = OPERATORS.partition(after)[2].partition("\n|")[2].partition("\n\n")[0].splitlines()
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row.removeprefix("|").split("|")[0])}


def test_every_setting_that_the_code_reads_is_told() -> None:
    assert settings_page.PAGE.read_text("utf-8") == settings_page.page(), "run `make generate`"
    read = {name for text in SOURCES.values() for name in re.findall(r"\b(REFERRAL_[A-Z]+(?:_[A-Z]+)*)\b", text)}
    events = {"REFERRAL_ATTACHED", "REFERRAL_WITHDRAWN", "REFERRAL_SUBMITTED"}
    assert read - events <= settings_page.variables()


def test_the_example_of_a_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(OPERATORS.partition("```toml settings\n")[2].partition("```")[0])
    found = settings.read({settings.FILE: str(tmp_path / "x.toml")})
    assert [one.tls for one in found.sip] == ["required", "never"] and found.caps == {"sms": 500, "voice": 200}


def test_every_reason_for_not_being_ready_is_told() -> None:
    text = "".join(SOURCES.values())
    words = {"start"} | set(re.findall(r'health\.red\("([a-z-]+)"', text))
    words |= set(re.findall(r'(?:found|reasons)\["([a-z-]+)"\] = f?"', text))
    words |= set(re.findall(r'return \{"([a-z-]+)": f', SOURCES["services/routing/engine_failure.py"]))
    words |= set(re.findall(r'not_ready\["([a-z-]+)"\] = ', text))
    assert table("## Is it ready?") == words
    causes = re.search(r"^CAUSES = \(([^)]*)\)", SOURCES["referral/runtime/loop/assignment.py"], re.M)
    assert causes is not None
    told = set(re.findall(r"^\| `([a-z-]+)` \|", OPERATORS.partition("| cause of `stopped` |")[2].partition("\n\n")[0], re.M))
    assert told == set(re.findall(r'"([a-z-]+)"', causes[1]))


def test_every_check_of_doctor_is_told() -> None:
    assert table("## `referral doctor`") == {*NAMES}


def test_make_help_lists_every_command() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = re.search(r"^\.PHONY: (.+)$", makefile, re.M)
    assert commands is not None and set(commands[1].split()) == set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.M))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken
