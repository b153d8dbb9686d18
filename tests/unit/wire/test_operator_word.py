"""A second operator's word is another's, for exactly one command, for an hour; the witness policy says whose keys count."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from referral.errors import Malformed
from referral.wire.signed import operator_word, trust_lines
from referral.wire.signed.operator_word import LASTS_S, SKEW_S, by_two
from referral.wire.signed.trust_lines import Keyword
from tests.harness.two_operators import AT, BESA, FIRST, KEEPER, KEYS, LINES, OPERATORS, SALT, SECOND, STRANGER, TERMS, from_line


def test_a_word_of_the_log_is_another_named_operators_for_this_command_of_this_operator() -> None:
    word = operator_word.taken(OPERATORS, FIRST, "staff password", operator_word.give(BESA, FIRST, "staff password", TERMS, SALT, AT))
    assert word.by == SECOND and operator_word.given(OPERATORS, FIRST, "staff password", word) == ""
    assert "no operator whom" in operator_word.given(OPERATORS, FIRST, "staff password", structs.replace(word, by="operator/agron"))
    assert "the same operator" in operator_word.given(OPERATORS, SECOND, "staff password", word)
    forged = STRANGER.sign(operator_word.statement(FIRST, "staff password", word.digest, word.until))
    wrong = (
        ("operator/agron", "staff password", word),
        (FIRST, "staff enable", word),
        (FIRST, "staff password", structs.replace(word, until=word.until + 1)),
        (FIRST, "staff password", structs.replace(word, digest="0" * 64)),
        (FIRST, "staff password", structs.replace(word, signature=forged)),
    )
    for to, command, one in wrong:
        assert "is not operator/besa's" in operator_word.given(OPERATORS, to, command, one)


def test_a_command_runs_on_another_named_operators_word_for_exactly_this_and_says_why_not() -> None:
    def said(key: Ed25519PrivateKey = BESA, to: str = FIRST, terms: bytes = TERMS, now: int = AT) -> str:
        message = operator_word.give(key, to, "staff password", terms, SALT, AT)
        word = operator_word.taken(OPERATORS, FIRST, "staff password", message)
        return operator_word.refusal(FIRST, TERMS, message, word, now)

    assert said() == said(now=AT + LASTS_S) == said(now=AT - SKEW_S) == ""
    assert "yourself" in said(KEEPER) and "whom the policy names" in said(STRANGER) and "not for operator/keeper" in said(to=SECOND)
    assert "other arguments" in said(terms=b"[]")
    assert "has ended" in said(now=AT + LASTS_S + 1) and "not good yet" in said(now=AT - SKEW_S - 1)


def test_a_word_travels_as_one_line_and_its_digest_cannot_be_tried_without_the_salt() -> None:
    message = operator_word.give(BESA, FIRST, "recover", TERMS, SALT, AT)
    line = operator_word.write(message)
    assert operator_word.read(f" {line}\n") == message and "\n" not in line
    assert message.digest == operator_word.digest(message.salt, TERMS) != operator_word.digest(bytes([1]) * 16, TERMS)
    short = structs.replace(message, salt=b"")
    for wrong in ("", "x", line[:-9], "é", line.swapcase(), operator_word.write(short)):
        with pytest.raises(Malformed, match="referral operator word"):
            operator_word.read(wrong)


def test_what_only_ends_something_takes_one() -> None:
    assert by_two("ca replace", ("authority:services",)) and not by_two("ca replace", ("ended:services-1",))
    assert by_two("staff password", ("ended:services-1",)), "what ends nothing takes two, whatever it says"
    assert by_two("staff password") and not by_two("staff disable") and not by_two("ca revoke")


def test_the_witness_policy_names_the_operators() -> None:
    assert trust_lines.operators(b"log x\n# approver a ed25519 y\n") == operator_word.NO_OPERATORS
    assert OPERATORS.since == 0 and [*OPERATORS.keys] == [FIRST, SECOND]
    begun = trust_lines.operators(LINES + from_line(AT * 1_000_000).encode())
    assert begun.since == (AT + 1) * 1000 and begun.keys == OPERATORS.keys
    first, second = LINES.splitlines(keepends=True)
    more = trust_lines.key_line(Keyword.OPERATOR, "agron", KEYS["keeper"])
    for bad in (first, LINES + first, LINES + more, LINES + b"# operator a ed25519 x", LINES + b"# operator A.B " + second.split()[-1]):
        with pytest.raises(Malformed, match="operator"):
            trust_lines.operators(bad)
    with pytest.raises(Malformed, match="two-operators-from"):
        trust_lines.operators(LINES + b"# two-operators-from yesterday")
