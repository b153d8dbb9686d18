"""The codings in which a marker could leave: each finds the marker whatever stands beside it, and nothing is found by chance."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from tests.harness.marked import FORMS, WORD
from tests.harness.markers import codings

TEXTS = st.sampled_from(sorted({WORD, *FORMS.values()}))


@given(TEXTS, st.binary(max_size=9), st.binary(max_size=9))
def test_a_marker_inside_of_base64_is_found_wherever_it_begins(text: str, before: bytes, after: bytes) -> None:
    assert any(form in b64encode(before + text.encode() + after) for form in codings(text))


def test_no_form_is_so_short_that_ten_thousand_random_messages_hold_it() -> None:
    """Four signs of base64 stood for seven digits once: three hexadecimal digits of a random reference are enough for those."""
    assert min(map(len, FORMS)) >= 7
