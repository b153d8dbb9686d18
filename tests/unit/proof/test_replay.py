"""A case told from the log: the text is kept in golden/replay.txt; `REFERRAL_UPDATE=1` writes it anew, to be read as a diff."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from msgspec import Struct, structs

from referral.cli.audit.timeline_text import WIDTH, render
from referral.domain.events import AccountChanged, Word
from referral.proof.history import wording, words
from referral.proof.history.reasons import BOTH, UNSAID
from referral.proof.history.timeline import sentence, timeline
from referral.roster.accounts import Made
from referral.runtime import i18n
from tests.harness.audit_log import FILES, Log, response, story
from tests.harness.erased import PLAIN


class OfferOpenedLike(Struct):
    """As much of an offer as an answer to it needs."""

    offer_id: str
    agency: str


TEXTS = i18n.load(words.FILE)
GOLDEN = Path(__file__).parents[1] / "golden" / "replay.txt"


def test_the_timeline_of_a_case_reads_as_it_did() -> None:
    log = Log()
    case_id = story(log)
    lines = timeline([e for e in log.entries if e.case_id == case_id], log.keys[case_id])
    text = "".join(f"{told.text}\n" for told in render(lines))
    assert max(map(len, text.splitlines())) <= WIDTH
    text = re.sub(r"text [0-9a-f]{16}", "text …", text)  # of a file that is edited for other reasons
    if os.environ.get("REFERRAL_UPDATE"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")


def test_an_offer_is_named_by_its_agency_and_its_id_stands_in_json() -> None:
    log = Log()
    case_id = story(log)
    lines = timeline([e for e in log.entries if e.case_id == case_id], log.keys[case_id])
    (climbs,) = (line for line in lines if "back-up" in line.what)
    assert climbs.what.startswith("police-prizren: now its back-up (police)") and climbs.offer_id
    assert not any(line.offer_id and line.offer_id[:8] in line.what for line in lines)


def test_a_decline_tells_its_reason_in_words_and_who_is_asked_instead() -> None:
    log = Log()
    case_id = story(log)
    support = next(run for run in log.cases[case_id].tracks[0].runs if run.step == "support").seats[0].offer
    assert support is not None
    asked = OfferOpenedLike(offer_id=support.offer_id, agency=support.agency)
    log.input(case_id, structs.replace(response(asked, Word.DECLINE, "no"), reason="NO_CAPACITY"), "decline")  # type: ignore[arg-type]
    lines = timeline([e for e in log.entries if e.case_id == case_id], log.keys[case_id])
    told = [line.what for line in lines]
    assert any("declines: no capacity (support)" in what for what in told)
    assert any("advocate-prizren: asked before" in passed for line in lines for passed in line.passed)


def test_every_rule_and_every_reason_of_the_policy_has_words() -> None:
    lists = yaml.safe_load(FILES["codes.yaml"])

    def said(kind: str) -> set[str]:
        return {key.removeprefix(f"{kind}.") for key in TEXTS["en"].texts if key.startswith(f"{kind}.")}

    assert set(lists["rule"]) == said("rule") | UNSAID and not said("rule") & UNSAID
    assert set(lists["passed-reason"]) == said("passed") >= BOTH
    assert set(lists["close-reason"]) == said("closed")
    assert set(lists["ignored-reason"]) == said("ignored") | BOTH and not said("ignored") & BOTH
    assert set(lists["reason"]) == said("reason")
    assert set(lists["read-basis"]) == said("read") and set(lists["limit"]) == said("deadline") == said("do")
    assert set(lists["word"]) | set(lists["knock-word"]) == said("answer")


@pytest.mark.parametrize("made", list(Made))
def test_a_change_of_an_account_is_told_with_who_made_it(made: Made) -> None:
    head, officer = f"{1:08}-0000-4000-8000-000000000000", f"{2:08}-0000-4000-8000-000000000000"
    body = AccountChanged(at=0, agency="police", account=officer, change=made.value, changed_by=head)
    what = wording.say(body, wording.names([], TEXTS["en"])).what
    assert what.startswith("account 00000001 ") and "account 00000002" in what and what.endswith(" at police")
    assert f"{made}:" not in what, "each has words of its own"


@pytest.mark.parametrize("change", ["lent", "{who}", "{", "{0.__class__}"])
def test_an_unknown_change_of_an_account_is_told_as_it_stands(change: str) -> None:
    """Of a newer release, or of whoever has the key of the roster's book: it must not keep an auditor from the rest of the log."""
    ids = [f"{n:08}-0000-4000-8000-000000000000" for n in (1, 2)]
    body = AccountChanged(at=0, agency="police", account=ids[1], change=change, changed_by=ids[0])
    what = wording.say(body, wording.names([], TEXTS["en"])).what
    assert f" {change}: account 00000002" in what and what.endswith(" at police")


@pytest.mark.parametrize("language", ["sq", "sr-Latn", "sr-Cyrl"])
def test_the_same_story_is_told_in_every_language_and_only_codes_are_the_same(language: str) -> None:
    log = Log()
    case_id = story(log)
    entries = [e for e in log.entries if e.case_id == case_id]
    plain = timeline(entries, log.keys[case_id])
    told = timeline(entries, log.keys[case_id], TEXTS[language])
    assert [(line.idx, line.at, line.depth, line.mark, line.due) for line in told] == [
        (line.idx, line.at, line.depth, line.mark, line.due) for line in plain
    ]
    for line, other in zip(told, plain, strict=True):
        said = sentence(line, "", marked=False, texts=TEXTS[language])
        assert said != sentence(other, "", marked=False) and (not line.why or line.why != other.why)
        bare = re.sub(r"[\w.]*[-_0-9:][\w-]*|\b(HTTP|police|csw|support|coordinator|trafficking|child|urgent|done)\b", "", said)
        if language == "sr-Cyrl":
            assert not re.search("[A-Za-z]", bare), said


def test_what_followed_stands_below_its_cause() -> None:
    log = Log()
    case_id = story(log)
    lines = timeline([e for e in log.entries if e.case_id == case_id], log.keys[case_id])
    by_id = {line.event_id: line for line in lines}
    for line in lines:
        if line.topic == "referral-routing" and line.idx:
            assert line.depth == by_id[line.cause_id].depth + 1
    assert [line.who for line in lines if not line.idx] == ["clock"]


def test_a_case_whose_key_is_gone_is_told_by_its_clear_part_and_marked() -> None:
    log = Log()
    case_id = story(log)
    mine = [e for e in log.entries if e.case_id == case_id]
    sealed = timeline(mine, None)
    assert {line.mark for line in sealed} == {"sealed"} and len(sealed) == len(mine)
    log.say(case_id, PLAIN, "00000000-0000-0000-0000-0000000000ee", case_id, "intake")
    erased = timeline([e for e in log.entries if e.case_id == case_id], None)
    assert {line.mark for line in erased} == {"erased", ""}
    assert erased[-1].what == "a1a1a1a1 and a2a2a2a2 have the case erased (storage-ended): key and rows are destroyed after this"
