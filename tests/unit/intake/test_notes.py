"""Notes only grow: entries, strikes, what readers get, and requests that are sent twice."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.intake.casefile import notes
from services.intake.casefile.sections import Version

POLICE, CSW = "police-prizren", "csw-prizren"


def version(number: int, agency: str, content: Any) -> Version:
    return Version(version=number, agency=agency, by=None, at=1_764_036_000_000_000, content=content)


def said(*rows: tuple[str, Any]) -> list[Version]:
    return [version(number, agency, content) for number, (agency, content) in enumerate(rows, 1)]


def test_every_entry_stays_and_only_its_own_agency_strikes_it() -> None:
    found = notes.entries(said((POLICE, {"text": "a"}), (CSW, {"text": "b"}), (CSW, {"struck": 1}), (POLICE, {"struck": 1})))
    assert [(entry.version, entry.agency, entry.struck) for entry in found] == [(1, POLICE, True), (2, CSW, False), (3, CSW, False)]
    assert found[2].content == {"struck": 1}, "what another agency's system sent is shown, and strikes nothing"


def test_readers_get_all_entries_and_the_text_of_those_that_hold() -> None:
    found = notes.content(notes.entries(said((POLICE, {"text": "a"}), (CSW, {"text": "b"}), (CSW, {"struck": 2})), {POLICE}))
    assert found["text"].startswith("… · 2025-11-25T02:00") and found["text"].endswith("\na")
    assert [(entry["agency"], entry["struck"]) for entry in found["entries"]] == [("", False), (CSW, True)]


def test_what_was_put_aside_for_the_desk_is_no_entry() -> None:
    assert notes.entries([version(-1, CSW, {"text": "aside"})]) == ()


def test_the_same_request_sent_twice_adds_nothing() -> None:
    rows = said((POLICE, {"text": "a"}), (CSW, {"text": "b"}))
    assert notes.repeats(rows, POLICE, {"text": "a"}) == 1 and not notes.repeats(rows, CSW, {"text": "a"})
    assert not notes.repeats([*rows, version(3, POLICE, {"struck": 1})], POLICE, {"text": "a"}), "struck, and said again"


SAID = st.one_of(st.just({"text": "x"}), st.integers(-2, 9).map(lambda number: {"struck": number}))


@given(st.lists(st.tuples(st.sampled_from((POLICE, CSW)), SAID)))
def test_nothing_that_was_said_is_lost(rows: list[tuple[str, Any]]) -> None:
    found = {entry.version for entry in notes.entries(said(*rows))}
    assert {number for number, (_, content) in enumerate(rows, 1) if "text" in content} <= found
