"""Packages of an image are those that the tests ran with: its lock pins no other version than requirements.lock, by no other hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from referral.runtime.settings import CHECKOUT


def pinned(path: Path) -> dict[str, frozenset[str]]:
    """Return package and version → the hashes of its files."""
    blocks = re.split(r"^(?=[a-z0-9])", re.sub(r"^#.*\n", "", path.read_text(), flags=re.M), flags=re.M)
    return {block.split()[0]: frozenset(re.findall(r"sha256:[0-9a-f]{64}", block)) for block in blocks if block}


@pytest.mark.parametrize("image", ["services", "oversight"])
def test_an_image_pins_what_the_tests_ran_with(image: str) -> None:
    inside, tested = pinned(CHECKOUT / f"deploy/image/{image}.lock"), pinned(CHECKOUT / "requirements.lock")
    assert len(inside) > 30 and all(inside.values())
    wrong = {name for name, hashes in inside.items() if tested.get(name) != hashes}
    assert not wrong, f"run `make lock`: {sorted(wrong)}"
