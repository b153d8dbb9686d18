"""A reply as people write it: digits anywhere, one word, and nothing that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.channels import Word
from referral.channels.message import WORDINGS, short
from services.notifier import replies
from services.notifier.replies import Reply, read
from tests.integration.notifier.test_replies import WRITTEN
from tests.unit.notifier.test_message import out


@pytest.mark.parametrize(("words", "means"), WRITTEN)
def test_replies_of_the_trial(words: str, means: str | None) -> None:
    read_ = read(words.format("4711"))
    assert means is None or read_ == Reply("4711", Word(means))
    assert means is not None or None in (read_.digits, read_.word)


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("14711", Reply("4711", Word.LOOKS)),
        ("24711.", Reply("4711", Word.CANNOT)),
        ("4711 2", Reply("4711", Word.CANNOT)),
        ("1471", Reply("1471", None)),
        ("1 1471", Reply("1471", Word.LOOKS)),
        ("1 2222", Reply("2222", Word.LOOKS)),
        ("гледам 4711", Reply("4711", Word.LOOKS)),
        ("Не могу, 4711!", Reply("4711", Word.CANNOT)),
        ("Pogledaću 4711", Reply("4711", Word.LOOKS)),
        ("NUK MUNDEM 4711", Reply("4711", Word.CANNOT)),
        ("I can’t 4711", Reply("4711", Word.CANNOT)),
        ("nuk po 4711", Reply("4711", Word.CANNOT)),
        ("po e shikoj 4711\nPolicia, kati 2", Reply("4711", Word.LOOKS)),
        ("po e shikoj 4711\nTel 044 123 456, 2026", Reply("4711", Word.LOOKS)),
        ("1 4711 = po e shikoj, 2 4711 = nuk mundem.", Reply("4711", None)),  # the message itself, forwarded
        ("1 4711 nuk mundem", Reply("4711", None)),
        ("ne mogu da gledam 4711", Reply("4711", None)),
        ("maybe 4711", Reply("4711", None)),
        ("3 4711", Reply("4711", None)),
        ("1 47115", Reply(None, None)),
        ("+38344000001", Reply(None, None)),
        ("1 ٤٧١١", Reply(None, None)),
        ("", Reply(None, None)),
    ],
)
def test_digits_and_word(words: str, reply: Reply) -> None:
    assert read(words) == reply


def test_a_reply_is_one_guess() -> None:
    assert read(" ".join(f"1 {n:04}" for n in range(100))).digits == "0000"


@pytest.mark.parametrize("language", WORDINGS)
def test_what_a_message_proposes_is_understood(language: str) -> None:
    """Each half of "1 4711 = po e shikoj, 2 4711 = nuk mundem", with and without its key."""
    proposed = short(out(language)).partition(": 1 ")[2].partition(".")[0].split(", ")
    halves = [half.removeprefix("2 ").split(" = ") for half in proposed]
    assert [read(f"{code} {phrase}") for code, phrase in halves] == [Reply("4711", Word.LOOKS), Reply("4711", Word.CANNOT)]


@given(st.text(max_size=300))
def test_any_text_is_read(words: str) -> None:
    found = read(words)
    assert found.digits is None or found.digits in words
    assert len(replies.PHRASES[Word.LOOKS]) > 4
