"""Record what a way reads of the directory: how far each list of services, and what it reads closely of an agency.

What is not read cannot change a way, so a way is the same for all kinds of cases that agree on what it read (`sharing`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import cast

from referral.analysis.reachability.world import Decided, World
from referral.domain import events as e
from referral.domain.policy import Order, Policy
from referral.domain.policy.directory import Service

Wanted = tuple[tuple[str, ...], tuple[str, ...]]
"""Roles and area words. With a municipality they name a list of services. Without roles: an agency, and
what was read closely of it."""
END = sys.maxsize
"""Depth of a list that was read to its end."""


class Facet(StrEnum):
    """What is read closely of an agency. REACH: by telephone or not, and on which rungs. The others are of its services."""

    REACH = "reach"
    ROLES = "roles"
    SKILLS = "skills"
    PLACES = "places"


class WatchedPolicy(Policy):
    """A policy that records how far its lists of services are read.

    lists: what was read since `watch`, in services of the directory.
    """

    __slots__ = ("lists",)
    lists: dict[Wanted, int]

    def watch(self, lists: Mapping[Wanted, int]) -> None:
        """Begin to record; so much counts as read."""
        object.__setattr__(self, "lists", dict(lists))

    def closely(self, agency: str, what: Facet) -> None:
        """Record that a way may depend on this of an agency."""
        self.lists[(), (agency, what)] = END

    def order(self, roles: tuple[str, ...], areas: tuple[str, ...], place: str, home: str) -> Order:
        """Return the services that may be asked, and record how far they are read."""
        return cast(Order, _WatchedOrder(super().order(roles, areas, place, home), self.lists, (roles, areas)))


def watched(policy: Policy) -> WatchedPolicy:
    """Return a copy of a policy that records what is read of it."""
    copy = WatchedPolicy(**{field.name: getattr(policy, field.name) for field in fields(policy) if field.init})
    copy.watch({})
    return copy


def read_until_now(policy: Policy) -> Mapping[Wanted, int]:
    """Return how far the lists of a policy were read since it was last told to watch; nothing where nobody watches it."""
    return dict(policy.lists) if isinstance(policy, WatchedPolicy) else {}


def read_closely(policy: Policy, agency: str, what: Facet) -> None:
    """Record, where somebody watches the policy, that a way may depend on this of an agency."""
    if isinstance(policy, WatchedPolicy):
        policy.closely(agency, what)


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


def read(world: World, done: Decided) -> None:
    """Record what a decision has read closely: how somebody is reached who need not answer, or has not in time; the skills of whoever was
    considered for a seat that needs some; the places of a house that was considered a second time; and at a change of procedure the roles
    of all that were asked, because their seats may be carried over by them."""
    policy = world.policy
    for event in done.events:
        kind = type(event)
        if kind is e.OfferOpened or kind is e.NeedsPerson:
            considered = [passed.service for passed in event.why.passed]
            if kind is e.OfferOpened:
                considered.append(event.service)
                if event.kind is e.OfferKind.NOTIFY or event.due is None:
                    read_closely(policy, event.agency, Facet.REACH)
            track = next((one for one in done.case.tracks if one.track_id == event.track_id), None)
            pathway = policy.pinned.get(track.digest) if track is not None else None
            step = pathway.step(event.step) if pathway is not None else None
            if step is None or not 0 <= event.seat < len(step.seats):
                continue
            own = getattr(event, "offer_id", None)
            again = {o.service for o, _ in world.asked.values() if o.offer_id != own} if step.kind is e.StepKind.PLACE else set[str]()
            for service in considered:
                agency = policy.services[service].agency
                if step.seats[event.seat].skills:
                    read_closely(policy, agency, Facet.SKILLS)
                if service in again:
                    read_closely(policy, agency, Facet.PLACES)
        elif kind is e.DeadlinePassed and event.offer_id in world.asked:
            read_closely(policy, world.asked[event.offer_id][0].agency, Facet.REACH)
        elif kind is e.TrackChanged and event.opened_by:
            for opened, _ in world.asked.values():
                read_closely(policy, opened.agency, Facet.ROLES)
