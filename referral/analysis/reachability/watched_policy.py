"""Record how far each list of services is read: `decide` reads them through `Policy.order`, one after the other until one can be asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import cast

from referral.domain.policy import Order, Policy
from referral.domain.policy.directory import Service

Wanted = tuple[tuple[str, ...], tuple[str, ...]]
"""Roles and area words. With a municipality they name a list of services."""
END = sys.maxsize
"""Depth of a list that was read to its end."""


class WatchedPolicy(Policy):
    """A policy that records how far its lists of services are read.

    lists: what was read since `watch`, in services of the directory.
    """

    __slots__ = ("lists",)
    lists: dict[Wanted, int]

    def watch(self, lists: Mapping[Wanted, int]) -> None:
        """Begin to record; so much counts as read."""
        object.__setattr__(self, "lists", dict(lists))

    def order(self, roles: tuple[str, ...], areas: tuple[str, ...], place: str) -> Order:
        """Return the services that may be asked, and record how far they are read."""
        return cast(Order, _WatchedOrder(super().order(roles, areas, place), self.lists, (roles, areas)))


def watched(policy: Policy) -> WatchedPolicy:
    """Return a copy of a policy that records what is read of it."""
    copy = WatchedPolicy(**{field.name: getattr(policy, field.name) for field in fields(policy) if field.init})
    copy.watch({})
    return copy


class _WatchedOrder:
    """A list of services that records how far it is read. It can be read in no other way than from its beginning."""

    def __init__(self, services: Order, lists: dict[Wanted, int], wanted: Wanted) -> None:
        self._services, self._lists, self._wanted = services, lists, wanted
        lists.setdefault(wanted, 0)

    def __iter__(self) -> Iterator[tuple[Service, str]]:
        """Yield the services, and record each; whoever asks for one more has read to the end."""
        lists, wanted = self._lists, self._wanted
        for number, found in enumerate(self._services, 1):
            if lists[wanted] < number:
                lists[wanted] = number
            yield found
        lists[wanted] = END

    def __len__(self) -> int:
        """Return the number of services: whoever asks, even whether there is one, has read to the end."""
        self._lists[self._wanted] = END
        return len(self._services)
