"""What a service has loaded is visited by no later collection; cyclic garbage of before is collected first."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from referral.runtime import garbage


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Loop:
    """Refers to itself."""

    def __init__(self) -> None:
        self.self = self


def test_what_is_settled_is_left_alone_and_found_again_when_its_successor_settles() -> None:
    loaded = Loop()
    gone = weakref.ref(loaded)
    garbage.settle()
    assert gc.get_freeze_count() > 0
    assert not any(one is loaded for one in gc.get_objects())
    del loaded
    gc.collect()
    assert gone() is not None, "nobody looks at what is settled"
    garbage.settle()
    assert gone() is None, "a policy that was replaced does not stay for ever"
