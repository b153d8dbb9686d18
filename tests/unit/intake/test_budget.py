"""The bytes of an agency, and the beginning of a file: without a server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from referral.domain.events import Door
from referral.errors import Rejected
from services.intake import crowd
from services.intake.commands.accept_referrals import Posting
from services.intake.crowd import Asked, Crowd
from services.intake.messages import strict_json, submission
from services.intake.messages.submission import LATER, beginning
from tests.harness.htcds_values import shipped

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3000)


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def asked(agency: str = "school", size: int = 60_000, *, drill: bool = False, can_wait: bool = True) -> Asked:
    return Asked(agency, drill, "urgent", size, can_wait)


def send(limits: Crowd, one: Asked) -> Rejected | bool:
    """Send one referral, and count it if it is taken."""
    [verdict] = limits.verdicts([one])
    if not isinstance(verdict, Rejected):
        limits.took(one, whole=verdict and one.size <= crowd.FILE_BYTES)
    return verdict


def test_one_agency_uses_up_its_own_budget_and_not_that_of_all() -> None:
    """660 referrals of 320 KB, as they were sent, are more than all together may store in an hour."""
    clock = Clock()
    limits = Crowd(clock)
    verdicts = []
    for _ in range(3600):
        verdicts.append(send(limits, asked(size=320_000)))
        clock.now += 0.9
    assert sum(isinstance(verdict, Rejected) for verdict in verdicts) > 0
    assert send(limits, asked("police")) is True


def test_a_batch_is_judged_as_its_parts_one_after_another() -> None:
    limits = Crowd(Clock())
    most = crowd.BYTES_FOR_ONE // (crowd.EACH_BYTES + 60_000)
    assert limits.verdicts([asked()] * (most + 5)) == [True] * most + [False] * 5
    for _ in range(most + 5):
        limits.took(asked(), whole=True)
    given_ = limits.verdicts([asked()] * 3)
    assert all(isinstance(one, Rejected) and one.code == crowd.EARLY for one in given_), "more than sixty came at once"
    assert limits.verdicts([asked(can_wait=False)] * 3) == [False] * 3, "Kafka is never refused"
    assert limits.verdicts([asked(drill=True), asked("police")]) == [True, True]
    assert limits.rest_s("police") == 0.0 < limits.rest_s("school") <= crowd.REST_S


async def test_above_its_budget_an_agency_s_emergency_waits_for_none_of_its_others_and_for_emergencies_no_longer_than_a_turn() -> None:
    """It was told 429 once, behind sixty that were no emergency."""
    clock = Clock()
    limits = Crowd(clock)
    emergency = replace(asked(can_wait=False), urgency="emergency")
    for _ in range(400):
        limits.took(asked(), whole=False)
    assert isinstance(send(limits, asked()), Rejected)
    async with asyncio.timeout(crowd.PATIENCE_S / 2):
        async with limits.turn("school", False, "emergency"):
            assert send(limits, emergency) is False, "taken, its file later"
    for _ in range(400):
        limits.took(emergency, whole=False)
    began = asyncio.get_running_loop().time()
    async with limits.turn("school", False, "emergency"):
        assert send(limits, emergency) is False
    waited = asyncio.get_running_loop().time() - began
    assert waited >= crowd.PATIENCE_S * 0.9, "so 64 connections take 21 in a second, and no more"


@pytest.mark.parametrize(
    ("urgency", "drill", "row", "waits"),
    [
        ("emergency", False, False, False),
        ("urgent", False, False, True),
        ("emergency", True, False, True),
        ("emergency", False, True, True),
    ],
)
def test_what_is_never_asked_to_be_sent_again(urgency: str, drill: bool, row: bool, waits: bool) -> None:
    """An emergency of a real child; not a row of a file, of which one request brings five hundred."""
    traits = {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": urgency}
    sent = submission.submission(strict_json.canonical({"traits": traits, "drill": drill}), shipped())
    one = Posting(agency="school", key=b"", door=Door.HTTP, referral=sent, same=(b"row",) if row else ())
    assert one.asked.can_wait is waits


def test_what_is_over_an_hour_old_counts_no_more() -> None:
    clock = Clock()
    limits = Crowd(clock)
    for _ in range(400):
        send(limits, asked(can_wait=False))
    assert limits.verdicts([asked()]) != [True]
    clock.now += crowd.HOUR_S + 60
    assert limits.verdicts([asked()]) == [True]
    assert limits.refuses_section("school", 60_000) is None


@given(
    st.dictionaries(
        st.sampled_from(("identity", "narrative", "contact", "medical")), st.dictionaries(st.text(max_size=40), TEXT, min_size=1)
    )
)
def test_the_beginning_of_a_file_is_short_says_so_and_keeps_what_is_short(file: dict[str, dict[str, Any]]) -> None:
    traits = {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "emergency"}
    named = {name: {key.replace("\0", ""): text for key, text in content.items()} for name, content in file.items()}
    whole = submission.submission(strict_json.canonical({"traits": traits}), shipped())
    sections = tuple((name, strict_json.canonical(content)) for name, content in sorted(named.items()))
    cut = beginning(structs.replace(whole, sections=sections), crowd.SHORT_BYTES)
    assert [name for name, _ in cut.sections] == sorted(named), "no section is missing without a word"
    for name, content in cut.sections:
        plain = json.loads(content)
        assert plain == named[name] or any(text.endswith(LATER) for text in plain.values())
    escapes = 6  # one character of JSON in the worst case
    assert sum(len(content) for _, content in cut.sections) <= escapes * crowd.SHORT_BYTES + len(sections) * (len(LATER.encode()) + 100)
    assert cut.traits == whole.traits
