"""`referral desk sheet`: what is open at a desk, on paper, in the language of the desk; nothing of a case that the desk must not know."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from referral.cli.admin.desk_sheet import TEXTS as FILE
from referral.cli.admin.desk_sheet import Entry, Sheet, page, plain
from referral.domain import events as e
from referral.domain.case_number import case_number
from referral.runtime import i18n
from referral.runtime.settings import Settings
from tests.harness.line.intake_stack import BODY, WHY, Stack, new_id, offer, track
from tests.harness.programs import command

pytestmark = pytest.mark.servers
DESK, TEXTS = "desk-prizren", i18n.load(FILE)


def task(**more: Any) -> e.NeedsPerson:
    values = {
        "why": WHY,
        "task_id": new_id(),
        "desk": DESK,
        "about": "no-candidate",
        "track_id": None,
        "step": "shelter",
        "seat": 0,
        "rung": 0,
    }
    return e.NeedsPerson(**(values | {"due": None} | more))


async def test_the_sheet_has_every_call_and_task_and_no_word_about_the_child(intake: Stack, bare: Settings) -> None:
    case, kept_away = (await intake.submit())["case_id"], (await intake.submit({**BODY, "excludes": [f"agency:{DESK}"]}))["case_id"]
    by_phone = offer("csw-leposaviq", new_id(), reach=e.Reach.PHONE)
    await intake.decided(case, track(), by_phone, offer("police-prizren", new_id()), task())
    await intake.decided(kept_away, track(), offer("csw-dragash", new_id(), reach=e.Reach.PHONE), task())
    where = replace(bare, kafka="unused:1")
    code, said = await command(where, "desk", "sheet", "--desk", DESK, "--language", "en")
    assert code == 0, said
    assert said.count(case_number(case)) == 2 and case_number(kept_away) not in said
    assert "Centre for Social Work Leposaviq (example): +99928" in said and "Spoke to ____" in said
    assert "police-prizren" not in said and "Police Prizren" not in said, "whoever is on the system is not telephoned"
    code, printed = await command(where, "desk", "sheet", "--desk", DESK, "--html")
    assert code == 0 and printed.startswith("<!doctype html>") and 'lang="sq"' in printed and case_number(case) in printed
    code, every = await command(where, "desk", "sheet")
    assert code == 0 and case_number(kept_away) in every, "another desk has it"
    code, said = await command(where, "desk", "sheet", "--desk", "desk-prizen")
    assert code == 1 and "desk-prizren" in said
    code, said = await command(where, "desk", "sheet", "--language", "de")
    assert code != 0 and "sr-Latn" in said


@pytest.mark.parametrize("language", list(TEXTS))
def test_both_forms_say_the_same(language: str) -> None:
    say = TEXTS[language]
    sheets = [Sheet("d", "A desk & more", (Entry("DABO-KILU-REMAT", ("Step", "Office: +999", "<b>")),), ())]
    text, html = plain(sheets, say, 0), page(sheets, say, 0)
    assert "DABO-KILU-REMAT  Step" in text and say("calls") in text and say("tasks") not in text
    assert "A desk &amp; more" in html and "&lt;b&gt;" in html and say("calls") in html
    assert say("none") in plain([], say, 0) and say("none") in page([], say, 0)
