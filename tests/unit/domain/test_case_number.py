"""The number of a case: one for every program, read aloud without a mistake, and silent about the case."""

from __future__ import annotations

import uuid
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from referral.domain.case_number import CONSONANTS, UNSAID, VOWELS, case_number, read

IDS = st.uuids().map(str)


def test_the_number_of_one_case_never_changes() -> None:
    """Messages and paper hold it: a change of the rule would give every open case another one."""
    assert case_number("0b1c7a0e-3a54-4c8e-9b55-5f0f0c4b7d11") == "POVI-PATO-KASIT"


@given(IDS)
def test_it_is_read_back_however_it_is_typed(case_id: str) -> None:
    number = case_number(case_id)
    assert read(number) == read(number.lower()) == read(number.replace("-", " ")) == read(f" {number.replace('-', '')}\n") == number
    assert not UNSAID.search(number.replace("-", ""))


@given(IDS, st.data())
def test_a_wrong_letter_is_noticed(case_id: str, data: st.DataObject) -> None:
    letters = list(case_number(case_id).replace("-", ""))
    place = data.draw(st.integers(0, len(letters) - 1))
    others = (VOWELS if place in range(1, 12, 2) else CONSONANTS).replace(letters[place], "")
    letters[place] = data.draw(st.sampled_from(others))
    assert read("".join(letters)) is None


@given(IDS)
def test_two_letters_exchanged_are_noticed(case_id: str) -> None:
    letters = case_number(case_id).replace("-", "")
    for a, b in combinations(range(len(letters)), 2):
        if letters[a] != letters[b]:
            changed = list(letters)
            changed[a], changed[b] = changed[b], changed[a]
            assert read("".join(changed)) is None


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(said: str) -> None:
    found = read(said)
    assert found is None or read(found) == found


def test_numbers_spread() -> None:
    """Twenty thousand cases: all different, and every letter at every place is about as frequent as the others."""
    numbers = [case_number(str(uuid.UUID(int=n))) for n in range(20_000)]
    assert len(set(numbers)) == len(numbers)
    for place in range(0, 12, 2):
        letters = [number.replace("-", "")[place] for number in numbers]
        assert all(0.8 < letters.count(c) * len(CONSONANTS) / len(letters) < 1.2 for c in CONSONANTS)
