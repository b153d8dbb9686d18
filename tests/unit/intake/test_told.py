"""Who was told, in the words of a page."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from referral.errors import Malformed
from referral.runtime import i18n
from referral.wire import told as wire
from referral.wire.told import MOST_ANSWER, MOST_ASKED, MOST_BYTES, Told
from services.intake.pages import inbox, render, told
from tests.unit.intake.test_pages import MINUTE, NOW, offer

WORDS = i18n.load(render.WORDS)
AT = NOW - 59 * MINUTE  # 02:01 in Belgrade
THREE = Told(delivered=1, delivered_at=AT, silent=1, cannot=1, next_at=AT + 4 * MINUTE)


def said(answer: Mapping[str, Told] | None, *, rung: int = 0, system: bool = False, language: str = "en", now: int = AT) -> str:
    found = told.line(answer, offer(offer_id="o", rung=rung, reach="SYSTEM" if system else "WEB"), "", WORDS[language], now)
    return "" if found is None else ("! " if found.bad else "") + found.text


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "Told 3: 1 delivered 02:01, 1 no answer, 1 cannot. Next at 02:05."),
        ("sq", "Të njoftuar 3: 1 dorëzuar (02:01), 1 pa përgjigje, 1 “nuk mundem”. Mesazhi tjetër: 02:05."),
        ("sr-Latn", "Obavešteno 3: 1 dostavljeno (02:01), 1 bez odgovora, 1 „ne mogu“. Sledeća poruka: 02:05."),
        ("sr-Cyrl", "Обавештено 3: 1 достављено (02:01), 1 без одговора, 1 „не могу“. Следећа порука: 02:05."),
    ],
)
def test_three_were_told_in_four_languages(language: str, expected: str) -> None:
    assert said({"o": THREE}, language=language) == expected


def test_whose_replies_wait_is_said_and_is_bad() -> None:
    line = said({"o": Told(delivered=1, delivered_at=AT, blocked=1)})
    assert line.startswith("! Told 1: 1 delivered 02:01. 1: answers by SMS do not count just now.") and "Telephone." in line


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Told(sent=2, sent_at=AT, next_at=AT), "Told 2: 2 sent 02:01. The next message goes out now."),
        (
            Told(sent=1, sent_at=AT, lost=1, waits=2),
            "Told 1: 1 sent 02:01. Not told: 1 not reachable, 2 not yet. No further message is planned.",
        ),
        (Told(waits=1, next_at=AT + MINUTE), "! Nobody has been told yet. Not told: 1 not yet. Next at 02:02."),
        (Told(sent=1, sent_at=AT, next_at=AT - 2 * MINUTE), "! Told 1: 1 sent 02:01. A message has been due since 01:59."),
        (
            Told(waits=1, next_at=AT, paused=True),
            "! Nobody has been told yet. Not told: 1 not yet. An operator has switched messages off: telephone.",
        ),
    ],
)
def test_what_is_wrong_is_said_and_marked(answer: Told, expected: str) -> None:
    assert said({"o": answer}) == expected


def test_what_cannot_be_known_is_not_made_up() -> None:
    assert said(None) == "! " + WORDS["en"]("told.away")
    assert said({}).startswith("! Nobody has been told yet.")
    assert said({"o": THREE}, rung=1).startswith("! Nobody has been told yet."), "the notifier is still at the rung below"
    assert said({"o": Told(rung=2, sent=1, sent_at=AT)}, rung=1).startswith("Told 1"), "intake may be the one that is behind"


def test_an_agency_whose_system_reads_its_offers_needs_nobody_told() -> None:
    assert (said({}, system=True), said({"o": Told()}, system=True)) == ("", "")
    assert said({"o": THREE}, system=True).startswith("Told 3")


def test_only_what_waits_for_an_answer_is_asked_about() -> None:
    assert told.awaited(offer()) and told.awaited(offer(state="ACKNOWLEDGED"))
    others = [offer(state="ACCEPTED"), offer(closed_at=1), offer(declined_by="e"), offer(reach="PHONE")]
    assert [told.awaited(other) for other in others] == [False] * len(others)


def test_a_question_has_room_for_a_whole_inbox_and_an_answer_for_all_of_it() -> None:
    ids = ["12345678-1234-4234-8234-123456789012"] * MOST_ASKED
    assert MOST_ASKED >= 3 * inbox.SHOWN and len(wire.question(ids)) <= MOST_BYTES and wire.asked(wire.question(ids)) == ids
    full = Told(**dict.fromkeys(set(Told.__struct_fields__) - {"paused"}, 2**53), paused=True)
    assert len(wire.answer({f"{n:036}": full for n in range(MOST_ASKED)})) <= MOST_ANSWER


def test_nonsense_is_refused_and_a_newer_notifiers_fields_are_passed_over() -> None:
    for bad in (b"", b"{}", b"[1]", b"\xff", wire.question(["o"] * (MOST_ASKED + 1))):
        with pytest.raises(Malformed):
            wire.asked(bad)
    with pytest.raises(Malformed):
        wire.answered(b'{"o": 1}')
    assert wire.answered(b'{"o": {"sent": 1, "sent_at": 2, "new": [3]}}') == {"o": Told(sent=1, sent_at=2)}
