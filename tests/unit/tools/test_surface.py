"""The surface: which codes, forms and policy words the source gives, and that no kind of line is forgotten."""

from __future__ import annotations

import ast

from tools import surface

CODE = """
EARLY = "too-early"
raise Rejected("no-key", where, hint)
raise errors.Malformed(EARLY)
raise Unproven("a" if old else f"unknown-{what}")
raise Rejected(code, where, hint)
raise Other("not-ours")
"""


def test_the_first_argument_of_a_refusal_is_its_code() -> None:
    assert sorted(surface.firsts(ast.parse(CODE), surface.REFUSALS)) == ["a", "no-key", "too-early", "unknown-{}"]


def test_a_form_has_its_method_its_action_and_its_fields() -> None:
    parser = surface.Forms()
    parser.feed('<input name="no"><form method="post" action="{}/show"><input name="b"><select name="a"></select><button>x</button></form>')
    parser.feed('<form action="/find"><textarea name="c"></textarea></form><button name="no">')
    assert parser.found == [("POST {}/show", {"a", "b"}), ("GET /find", {"c"})]


def test_every_word_of_a_closed_list_and_every_key_is_a_line() -> None:
    schema = {"properties": {"at": {"enum": ["once", "twice"]}, "of": {"anyOf": [{"const": "all"}]}}}
    assert set(surface.policy_words(schema)) == {"key at", "key of", "word once", "word twice", "word all"}


def test_the_tables_that_need_no_source_are_not_empty() -> None:
    assert "audit verify" in set(surface.commands()) and "audit verify --jobs" in set(surface.commands())
    assert "submitReferral: POST /v1/referrals" in set(surface.api())
    assert any(line.startswith("referral_") for line in surface.metrics()) and "BAD 1" in set(surface.exits())
