"""Whoever must notice an attack does. `make attacks` prints the table."""

from __future__ import annotations

import pytest

from tests.attacks import (
    administrators,
    auditors,
    broker,
    by_hand,
    channels,
    contents,
    doors,
    facts,
    history,
    nobody_comes,
    omissions,
    one_agency,
    own_topic,
    pairs,
    policies,
    promises,
    public_door,
    readings,
    trusted,
    words,
)
from tests.attacks.ground import Attack, copy, verify

ALL = [
    *history.attacks(),
    *contents.attacks(),
    *nobody_comes.attacks(),
    *own_topic.attacks(),
    *administrators.attacks(),
    *auditors.attacks(),
    *auditors.watched(),
    *readings.attacks(),
    *broker.attacks(),
    *by_hand.attacks(),
    *policies.attacks(),
    *facts.attacks(),
    *omissions.attacks(),
    *trusted.attacks(),
    *one_agency.attacks(),
    *promises.attacks(),
    *channels.attacks(),
    *doors.attacks(),
    *public_door.attacks(),
    *words.attacks(),
    *pairs.attacks(),
]


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: f"{attack.what}, {attack.power}")
def test_it_is_noticed_by_whom_it_must(attack: Attack) -> None:
    said = attack.run()
    assert {who for who in attack.must if not said.get(who)} == set(), said
    assert attack.blamed in said[attack.must[0]], "the finding names who is answerable"


def test_without_an_attack_nobody_says_anything() -> None:
    assert verify(copy()) == ""


def test_what_the_owner_wrote_is_foreign_to_nobody() -> None:
    true = [own_topic.record(n, by_owner=True) for n in (2, 3)]
    assert own_topic.owner(true) == own_topic.recover(true) == "" == own_topic.acknowledged(3, [(3, 5), (5, 6)])
