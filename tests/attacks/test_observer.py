"""Whoever polls the published checkpoint learns nothing of a year: neither the hours with a referral, nor how many children."""

from __future__ import annotations

import itertools

import pytest

from services.audit import beat
from tests.attacks.observer import Year, at_once, on_the_beat, tell, year

CHANCE, MARGIN = 0.5, 0.05


@pytest.fixture(scope="module")
def made() -> Year:
    return year()


def test_a_log_that_is_signed_at_each_batch_tells_both(made: Year) -> None:
    told = tell(made, at_once(made.appended))
    assert told.hours > 0.95 and told.days > 0.9 > 0.5 > told.guess, told


def test_a_log_on_a_beat_in_blocks_tells_neither(made: Year) -> None:
    shown = on_the_beat(made.appended)
    told = tell(made, shown)
    assert told.hours <= CHANCE + MARGIN and told.days <= told.guess + MARGIN, told
    assert {size % beat.BLOCK for _, size in shown} == {0} and len({b[1] - a[1] for a, b in itertools.pairwise(shown)}) == 1


def test_a_beat_without_blocks_and_blocks_without_a_beat_would_tell(made: Year, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each half alone is not enough; so this observer would notice if one of them were lost."""
    every_batch = [(second, size + beat.cover(size, 0)) for second, size in at_once(made.appended)]
    assert tell(made, every_batch).hours > CHANCE + MARGIN
    monkeypatch.setattr(beat, "BLOCK", 1)
    assert tell(made, on_the_beat(made.appended)).hours > CHANCE + MARGIN
