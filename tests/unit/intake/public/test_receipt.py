"""Codes of receipts: what we gave out is known by its last letters, so that a guess costs no look at the database."""

from __future__ import annotations

import secrets
from base64 import b32encode

from hypothesis import given
from hypothesis import strategies as st

from referral.runtime.keys.case_keys import Keys
from services.intake.messages.responses import WORDS_LIMIT
from services.intake.public import form, receipt

KEYS = Keys(bytes(32))


@given(st.text("0123456789abcdef", min_size=32, max_size=32))
def test_a_code_is_ours_however_it_is_typed(key: str) -> None:
    code = receipt.code(KEYS, key)
    for typed in (code, code.lower(), code.replace("-", ""), code.replace("-", " "), f" {code} ", code.replace("O", "0").replace("I", "1")):
        assert receipt.ours(KEYS, typed) and receipt.digest(KEYS, typed) == receipt.digest(KEYS, code), typed
    assert receipt.code(KEYS, key) == code and not receipt.ours(Keys(bytes([1]) * 32), code)


def test_no_slip_of_the_pen_and_no_guess_is_ours() -> None:
    code = receipt.code(KEYS, "0" * 32).replace("-", "")
    slips = [code[:at] + other + code[at + 1 :] for at in range(len(code)) for other in "AMZ" if other != code[at]]
    guesses = [b32encode(secrets.token_bytes(10)).decode() for _ in range(2_000)]  # one in a million would be
    odd = ["", "x", code[:12], code + "A", code * 4, "' OR 1=1 --", "ж" * 16, "\udc00" * 16, "\0" * 16, "１２３４" * 4]
    assert [typed for typed in (*slips, *odd) if receipt.ours(KEYS, typed)] == []
    assert sum(receipt.ours(KEYS, typed) for typed in guesses) <= 1


def test_all_notes_of_a_receipt_fit_into_the_story() -> None:
    """So that a sender does not learn from a full story whether anybody else has written into it."""
    assert form.STORY + receipt.NOTES * (receipt.NOTE + len("\n\n+ ")) <= WORDS_LIMIT
