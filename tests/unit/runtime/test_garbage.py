"""What a service has loaded is visited by no later collection; cyclic garbage of before is collected first."""

from __future__ import annotations

import gc
import subprocess
import sys
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


def test_the_programs_load_their_modules_before_the_collector_looks_at_them() -> None:
    """It looks through the same modules fifty times otherwise, which is a sixth of a service's start."""
    script = "import gc, sys; import services; print(gc.get_threshold()[0]); sys.argv[1:] = ['no-such']; gc.set_threshold(700)\n"
    script += "from referral.cli import main\ntry: main()\nexcept SystemExit: print(gc.get_threshold()[0])"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == said[1] == str(garbage.LOADING)


def test_what_is_settled_is_left_alone_and_found_again_when_its_successor_settles() -> None:
    loaded = Loop()
    gone = weakref.ref(loaded)
    garbage.keep()
    assert gc.get_freeze_count() > 0
    assert not any(one is loaded for one in gc.get_objects())
    del loaded
    gc.collect()
    assert gone() is not None, "nobody looks at what is settled"
    garbage.settle()
    assert gone() is None, "a policy that was replaced does not stay for ever"
