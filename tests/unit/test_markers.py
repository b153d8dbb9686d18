"""The codings in which a marker could leave: each finds the marker whatever stands beside it, and nothing is found by chance."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.marked import FORMS, WORD
from tests.harness.markers import LEAST, codings, in_files

TEXTS = st.sampled_from(sorted({WORD, *FORMS.values()}))


@given(TEXTS, st.binary(max_size=9), st.binary(max_size=9))
def test_a_marker_inside_of_base64_is_found_wherever_it_begins(text: str, before: bytes, after: bytes) -> None:
    assert any(form in b64encode(before + text.encode() + after) for form in codings(text))


def test_no_form_is_so_short_that_ten_thousand_random_messages_hold_it() -> None:
    """Four signs of base64 stood for seven digits once: three hexadecimal digits of a random reference are enough for those."""
    assert min(map(len, FORMS)) >= 7


def test_a_file_that_holds_a_marker_is_found_in_any_coding_and_an_empty_folder_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="0 bytes"):
        in_files(tmp_path, WORD)
    (tmp_path / "filler").write_bytes(bytes(LEAST + 1))
    for n, form in enumerate(codings(WORD)):
        (tmp_path / str(n)).write_bytes(b"\x00" + form + b"\xff")
    assert sorted(in_files(tmp_path, "nowhere", WORD)) == [str(n) for n in range(len(codings(WORD)))]
