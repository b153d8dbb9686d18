"""Compare municipalities by what a way has read of the directory, and by nothing else.

A `Look` is what one kind of person finds in one municipality. Two looks that agree on what a way has read have the same way, because
`decide` compares agencies only with one another: so names become numbers, and services that no such person can get are left out, since
`decide` passes them over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from referral.analysis.reachability.classes import Circumstance, possible
from referral.analysis.reachability.watched_policy import END, Wanted
from referral.domain.events import Reach, Traits
from referral.domain.policy import Policy
from referral.domain.policy.directory import Service
from referral.domain.policy.procedure import Marks, Pathway, Step
from referral.domain.rules.candidates import ineligible
from referral.domain.rules.conditions import consent_mark, trait_marks

ENOUGH = 2
"""Places of a service that are told apart: one person takes one, and a second where it moves within the house (ours)."""


class Read:
    """Depths to which lists were read: number of services that this person can get, or END. Equal ones are the same object."""

    __slots__ = ("lists",)

    def __init__(self, lists: tuple[tuple[Wanted, int], ...]) -> None:
        self.lists = lists


class Named:
    """Everything that procedures name of a service: other roles and tags make no difference.

    begun: the procedures that begin, each with its steps that can begin at all. Those that they may lead to count whole.
    """

    def __init__(self, policy: Policy, begun: Sequence[tuple[Pathway, Sequence[Step]]]) -> None:
        self.pathways = [one for one, _ in begun]
        for one in self.pathways:
            self.pathways += [other for other in policy.current if other.id in one.leads_to and other not in self.pathways]
        roles: set[str] = set()
        tags = {tag for one in self.pathways for tag, _ in one.never}
        for _, steps in (*begun, *((led_to, led_to.steps) for led_to in self.pathways[len(begun) :])):
            for step in steps:
                for rule in step.seats:
                    tags |= rule.skills
                    roles |= {*rule.roles, *rule.last_resort}
                if step.placement is not None:
                    roles.update(step.placement.until_known, *step.placement.roles.values())
        self.roles, self.tags = frozenset(roles), frozenset(tags)


class Look:
    """Services that one kind of person finds in one municipality."""

    def __init__(self, policy: Policy, place: str, person: Person, known: Known) -> None:
        self._policy, self._place, self._person, self._known = policy, place, person, known
        where = policy.municipalities.get(place)
        desk = where.desk if where else policy.country_desk
        self._chain = (desk, policy.agencies[desk].above or policy.country_desk, policy.oversight)
        self._lists: dict[Wanted, tuple[tuple[Service, int], ...]] = {}
        self._keys: dict[Read, int] = {}

    def read(self, lists: Mapping[Wanted, int]) -> Read:
        """Return how far lists were read, counted in services that this person can get."""
        return self._known.read(tuple((wanted, self._depth(wanted, number)) for wanted, number in lists.items()))

    def _depth(self, wanted: Wanted, number: int) -> int:
        if number == END:
            return END
        return sum(1 for service, _ in self._policy.order(*wanted, self._place)[:number] if service.id not in self._person.out)

    def key(self, read: Read) -> int:
        """Return a number for what so much of the directory holds, without names. The same number: a way that read so far cannot tell the
        looks apart."""
        if read not in self._keys:
            services: dict[str, int] = {}
            agencies: dict[str, int] = {}
            parts: list[object] = []
            for wanted, depth in read.lists:
                found = self._list(wanted)
                for service, value in found[:depth]:
                    number = services.setdefault(service.id, len(services))
                    parts += (number, agencies.setdefault(service.agency, len(agencies)), value)
                parts.append(depth > len(found))
            parts += [agencies.setdefault(agency, len(agencies)) for agency in self._chain]
            self._keys[read] = self._known.number(tuple(parts))
        return self._keys[read]

    def _list(self, wanted: Wanted) -> tuple[tuple[Service, int], ...]:
        if wanted not in self._lists:
            order = self._policy.order(*wanted, self._place)
            self._lists[wanted] = tuple((one, self._value(one, role)) for one, role in order if one.id not in self._person.out)
        return self._lists[wanted]

    def _value(self, service: Service, role: str) -> int:
        """Return a number for everything about a service that affects how it is asked."""
        agency, named = self._policy.agencies[service.agency], self._person.named
        places = service.places if service.places is None else min(service.places, ENOUGH)
        banned = tuple(not bans.isdisjoint(service.tags) for bans in self._person.bans)
        by_phone = agency.reach is Reach.PHONE
        roles, tags = service.roles & named.roles, service.tags & named.tags
        return self._known.number((role, roles, tags, banned, places, agency.ladder, agency.hours, by_phone))


class Known:
    """Numbers for values that are compared often."""

    def __init__(self) -> None:
        self._reads: dict[object, Read] = {}
        self._numbers: dict[object, int] = {}

    def read(self, lists: tuple[tuple[Wanted, int], ...]) -> Read:
        """Return the one object for what was read."""
        if lists not in self._reads:
            self._reads[lists] = Read(lists)
        return self._reads[lists]

    def number(self, value: object) -> int:
        """Return the number of a value, equal for equal ones."""
        return self._numbers.setdefault(value, len(self._numbers))


class Person:
    """One kind of person, for procedures that may begin.

    out: ids of services that no such person can get.
    bans: for each procedure the tags that are never asked for this person.
    """

    def __init__(self, policy: Policy, named: Named, out: frozenset[str], bans: tuple[Marks, ...], known: Known) -> None:
        self.named, self.out, self.bans, self._policy, self._known = named, out, bans, policy, known
        self._looks: dict[str, Look] = {}

    def look(self, place: str) -> Look:
        """Return what this person finds in a municipality."""
        if place not in self._looks:
            self._looks[place] = Look(self._policy, place, self, self._known)
        return self._looks[place]


class People:
    """The kinds of persons of a policy, each made once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._named: dict[object, Named] = {}
        self._out: dict[object, frozenset[str]] = {}
        self._people: dict[object, Person] = {}
        self._known = Known()

    def person(self, begun: Sequence[Pathway], given: Circumstance) -> Person:
        """Return the person with these circumstances, for whom these procedures begin."""
        marks = trait_marks(given.traits) | {consent_mark(given.consent, 0)}
        steps = [(one, tuple(possible(one, marks).values())) for one in begun]
        ids = tuple((one.id, tuple(step.id for step in some)) for one, some in steps)
        if ids not in self._named:
            self._named[ids] = Named(self._policy, steps)
        named, out = self._named[ids], self._not_for(given.traits)
        bans = tuple(frozenset(tag for tag, mark in one.never if tag and (not mark or mark in marks)) for one in named.pathways)
        if (named, out, bans) not in self._people:
            self._people[named, out, bans] = Person(self._policy, named, out, bans, self._known)
        return self._people[named, out, bans]

    def _not_for(self, traits: Traits) -> frozenset[str]:
        """Return the services that nobody of this age and sex can get."""
        who = (traits.age, traits.age_band, traits.sex)
        if who not in self._out:
            every = self._policy.services.values()
            self._out[who] = frozenset(one.id for one in every if one.places == 0 or ineligible(traits, one))
        return self._out[who]
