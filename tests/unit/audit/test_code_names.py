"""Names of codes in the auditor's timeline: the policy's in the reader's language, with the logged code beside."""

from __future__ import annotations

import re

import pytest

from referral.domain import events as e
from referral.proof.history import wording, words
from referral.proof.history.words import as_logged
from referral.runtime import i18n
from services.audit import case_view
from tests.harness.audit_log import POLICY, Log, story

TEXTS = i18n.load(words.FILE)
CODES = ("police-prizren", "advocate-prizren", "trafficking", "urgent", "HTTP", "police")
"""Codes of the story, and names of their lists: none is left in a sentence."""


@pytest.mark.parametrize("language", i18n.ENDONYMS)
def test_a_sentence_has_names_and_the_logged_codes_stand_apart(language: str) -> None:
    log = Log()
    case_id = story(log)
    entries = [one for one in log.entries if one.case_id == case_id]
    texts = TEXTS[language]
    named = case_view.rows(entries, log.keys[case_id], {}, texts, name=case_view.names(POLICY, texts, language))
    plain = case_view.rows(entries, log.keys[case_id], {}, texts)
    assert [(row.idx, row.at, row.depth, row.marks) for row in named] == [(row.idx, row.at, row.depth, row.marks) for row in plain]
    for row, logged in zip(named, plain, strict=True):
        shown, codes = " ".join((row.what, row.who, row.why, *row.passed)), " ".join((logged.what, logged.who, logged.why, *logged.passed))
        assert "⟦" not in shown and all(code in codes for code in row.codes), "each code as commands print it"
        left = [code for code in CODES if re.search(rf"(?<![\w-]){code}(?![\w-])", shown)]
        assert not left or language == "en", (left, shown)
        if language == "sr-Cyrl":
            assert not re.search("[A-Za-z]{3}", re.sub(r"[0-9a-f]{8,}", "", shown)), shown
    assert {"police-prizren", "police", "trafficking", "urgent"} <= {code for row in named for code in row.codes}
    assert any(POLICY.names("agency", "police-prizren", language) in row.what for row in named)


def test_without_a_believed_bundle_codes_stay_codes_and_say_so_once() -> None:
    assert case_view.names(None, TEXTS["sq"], "sq") is as_logged
    name = case_view.names(POLICY, TEXTS["sq"], "sq")
    assert words.named(name, "agency", "police-nowhere") == "police-nowhere", "a code without a name stands alone"


def test_every_code_that_the_policy_does_not_name_has_ours() -> None:
    lists = {"outcome": "outcome", "link": "link", "channel": "channel", "knock-reason": "knock"}
    wanted = {f"code.{kind}.{code}" for name, kind in lists.items() for code in POLICY.codes[name]}
    enums = {"door": e.Door, "consent": e.ConsentState, "order": e.Instruction}
    wanted |= {f"code.{kind}.{word}" for kind, enum in enums.items() for word in enum if word != "UNKNOWN"}
    wanted |= {f"code.trait.{name}" for name in e.Traits.__struct_fields__}
    ours = {key for key in TEXTS["en"].texts if key.startswith("code.")}
    assert {key for key in ours if not key.startswith(("code.relation.", "code.service."))} == wanted


def test_every_event_with_names_reads_without_a_mark() -> None:
    """Each wording takes its codes through the names: a hostile code is shown as it is, and never as a name."""
    names = wording.names([], TEXTS["sq"], case_view.names(POLICY, TEXTS["sq"], "sq"))
    unknown = dict.fromkeys(e.Traits.__struct_fields__, "unknown")
    traits = e.Traits(**{**unknown, "languages": ("sq", "rom"), "found_in": "prizren", "flags": ()})
    body = e.TraitsChanged(agency="csw-prizren", by=None, traits=traits, only=("found_in", "languages"), received_at=0)
    said = wording.say(body, names).what
    csw = "Qendra për Punë Sociale Prizren (shembull)"
    assert words.without_codes(said) == f"{csw} regjistron: gjendet në: Prizren, gjuhët: Shqip, Romisht"
    assert words.codes(said) == ("csw-prizren", "found_in", "prizren", "languages", "sq", "rom")
