"""Whoever must notice an attack does. `make attacks` prints the table."""

from __future__ import annotations

import pytest

from tests.attacks import contents, history
from tests.attacks.ground import Attack, copy, verify

ALL = [*history.attacks(), *contents.attacks()]


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: f"{attack.what}, {attack.power}")
def test_it_is_noticed_by_whom_it_must(attack: Attack) -> None:
    said = attack.run()
    assert {who for who in attack.must if not said.get(who)} == set(), said


def test_without_an_attack_nobody_says_anything() -> None:
    assert verify(copy()) == ""
