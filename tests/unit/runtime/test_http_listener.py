"""Slots: who is ended when there are too many connections, decided without a network."""

from __future__ import annotations

import math

import pytest

from referral.runtime import http_listener
from referral.runtime.http_listener import PROXY, Slot, Slots, network, subscriber


class Open:
    """Connections that were opened in turn, and the names of those that were ended."""

    def __init__(self) -> None:
        self.slots, self.ended, self._at = Slots(), list[str](), 0.0

    def __call__(self, name: str, address: str, *, busy: bool = False, holder: str = "") -> Slot:
        self._at += 1
        slot = Slot(address, network(address), math.inf if busy else self._at, lambda: self.ended.append(name))
        self.slots.take(slot)
        if holder:
            self.slots.move(slot, holder)
        return slot


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    for name, most in (("CONNECTIONS", 12), ("NETWORK", 4), ("HOLDER", 3)):
        monkeypatch.setattr(http_listener, name, most)
    return Open()


def test_a_network_of_strangers_ends_its_own(opened: Open) -> None:
    opened("officer", "192.0.2.7")
    for n in range(20):
        opened(f"flood {n}", f"198.51.100.{n % 3}")
    assert len(opened.slots) == 5 and "officer" not in opened.ended and opened.ended[0] == "flood 0"


def test_within_a_network_the_address_that_holds_most_gives_way(opened: Open) -> None:
    opened("neighbour", "198.51.100.200")
    for n in range(9):
        opened(f"flood {n}", "198.51.100.1")
    assert "neighbour" not in opened.ended


def test_many_networks_give_way_before_one_that_holds_less(opened: Open) -> None:
    opened("officer", "192.0.2.7")
    for n in range(40):
        opened(f"flood {n}", f"203.0.{n % 6}.{n}")
    assert len(opened.slots) == 12 and "officer" not in opened.ended


def test_who_has_shown_something_is_counted_apart_from_its_neighbours(opened: Open) -> None:
    for n in range(3):
        opened(f"office {n}", "198.51.100.9", holder="account/one")
    for n in range(9):
        opened(f"flood {n}", "198.51.100.9")
    assert not [name for name in opened.ended if name.startswith("office")]
    opened("office 3", "198.51.100.9", holder="account/one")
    assert [name for name in opened.ended if name.startswith("office")] == ["office 0"], "and has a limit of its own"


def test_a_proxy_has_no_limit_but_that_of_all(opened: Open) -> None:
    """Behind it is everybody: a limit of one holder would end requests of people who hold one connection each."""
    for n in range(13):
        opened.slots.take(Slot("192.0.2.1", PROXY, math.inf if n else 0.0, lambda n=n: opened.ended.append(f"proxied {n}")))
        assert opened.ended == ([] if n < 12 else ["proxied 0"])


def test_an_answer_that_is_on_its_way_is_kept_while_others_idle(opened: Open) -> None:
    opened("busy", "198.51.100.9", busy=True)
    for n in range(9):
        opened(f"idle {n}", "198.51.100.9")
    assert "busy" not in opened.ended
    for n in range(9):
        opened(f"busy {n}", "198.51.100.9", busy=True)
    assert len(opened.slots) == 4, "the limit holds where nobody idles, too"


def test_a_slot_is_given_back_once(opened: Open) -> None:
    one, other = opened("one", "192.0.2.1"), opened("other", "192.0.2.1")
    for _ in range(2):
        opened.slots.give_back(one)
    opened.slots.move(one, "account/late")
    assert len(opened.slots) == 1
    opened.slots.give_back(other)
    assert len(opened.slots) == 0


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.77", "network 192.0.2.0/24"),
        ("::ffff:192.0.2.77", "network 192.0.2.0/24"),
        ("2001:db8:5:6::1", "network 2001:db8:5::/48"),
        ("fe80::1%eth0", "network fe80::/48"),
        ("", "network "),
    ],
)
def test_addresses_are_counted_by_network(address: str, group: str) -> None:
    assert network(address) == group


@pytest.mark.parametrize(("one", "other"), [("2001:db8:5:6::1", "2001:db8:5:6:7::2"), ("192.0.2.77", "::ffff:192.0.2.77")])
def test_a_subscriber_of_ipv6_is_known_once_and_not_at_each_address(one: str, other: str) -> None:
    assert subscriber(one) == subscriber(other) and subscriber(one) not in (subscriber("2001:db8:5:7::1"), subscriber("192.0.2.78"))
