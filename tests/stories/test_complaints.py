"""What people complain about in today's systems, each with the stories and tests that answer it. `README.md` shows the same table."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORIES = Path(__file__).parent / "told"
README = (Path(__file__).parent / "README.md").read_text("utf-8")
COMPLAINTS: dict[str, tuple[str, ...]] = {
    "A referral addressed to one user whose account is disabled, stuck (Primero R2-3526)": (
        "account-disabled",
        "tests/web/test_attacks.py::test_an_account_that_is_disabled_is_out_at_once_and_its_agencys_offers_stay",
    ),
    "A rejected referral that blocks a new one (CARE #1042)": ("refused-then-referred-again",),
    "A zombie referral after the person moved another way (CARE #781)": ("overtaken", "overtaken-as-a-whole"),
    "One vacancy won by two people (Boston CAS #46)": (
        "late-accept-of-a-full-house",
        "tests/integration/routing/test_line.py::test_one_bed_is_never_promised_twice_by_two_instances",
    ),
    "A late decline nobody is told about (Boston CAS #45)": ("shelter-declines-late", "shelter-returns-child"),
    "“Why no match?” (Boston CAS #72)": ("care-disabled-child", "no-bed-anywhere"),
    "Inaccurate capacity, phone confirmation not recorded (care_fe #1035)": (
        "full-house-by-order",
        "phone-agency",
        "tests/web/test_inbox.py::test_a_desk_records_a_telephone_answer_and_instructs",
    ),
    "A retry storm nobody can stop (OpenHIM #1185)": (
        "stop-and-resume",
        "tests/integration/notifier/test_send.py::test_repeats_follow_the_alarm_and_end_with_the_answer",
    ),
    "Replay that notifies people again (OpenHIM PR #1058)": (
        "tests/integration/notifier/test_line.py::test_a_backlog_knocks_only_for_what_still_waits",
        "tests/integration/line/test_recover.py::test_a_database_set_back_goes_on_without_loss_or_repetition",
    ),
    "Escalation rules that are configured but never run (open-mercato #2293, cht-core #987)": (
        "nobody-at-police",
        "tests/stories/test_reached.py::test_the_stories_reach_every_code",
    ),
    "Over-sharing in exports (Primero R2-3263)": (
        "adult-consent-scope",
        "adult-refuses",
        "tests/faults/test_markers.py::test_nothing_of_the_case_file_is_in_clear_anywhere",
    ),
    "Untranslated notices (Primero R2-3090)": ("tests/unit/notifier/test_message.py::test_the_words_of_each_language",),
    "An alert acknowledged long ago that pages again (Grafana OnCall #3111)": (
        "acknowledged-then-silent",
        "tests/unit/domain/test_bounds.py::test_what_was_acknowledged_never_climbs_for_want_of_an_acknowledgement",
    ),
    "A link in an e-mail consumed by a mail scanner": ("tests/web/test_inbox.py::test_get_changes_nothing_whoever_asks",),
}


@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_a_complaint_is_answered(complaint: str) -> None:
    for answer in COMPLAINTS[complaint]:
        file, _, name = answer.partition("::")
        if name:
            there = ast.parse((ROOT / file).read_text("utf-8")).body
            assert name in {each.name for each in there if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}, answer
        else:
            assert (STORIES / f"{answer}.yaml").is_file(), answer


def test_the_page_shows_the_table() -> None:
    assert len(COMPLAINTS) == 14
    rows = dict(re.findall(r"^\| (.*?) \| (.*?) \|$", README.partition("## What people complain about")[2], re.M))
    shown = {complaint: tuple(re.findall(r"`([^`]*)`", answers)) for complaint, answers in rows.items() if "`" in answers}
    assert shown == COMPLAINTS
