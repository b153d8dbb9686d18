"""List the tasks of the model check: for every procedure, the kinds of cases that it can tell apart.

Tasks with the same residue are a *family*: they differ only in whom the person finds in the municipality (`look`), and most ways read so
little of that that the whole family shares them (`explore`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from referral.analysis.reachability.classes import (
    Circumstance,
    Residue,
    applies,
    circumstances,
    looked_at,
    opened,
    possible,
    residue,
    tested_marks,
)
from referral.analysis.reachability.watched import END, Facet, Wanted
from referral.domain.events import Consent, Reach, Traits
from referral.domain.policy import Policy
from referral.domain.policy.directory import Service
from referral.domain.policy.procedure import Marks, Pathway, Step, met
from referral.domain.rules.candidates import ineligible
from referral.domain.rules.conditions import consent_mark, trait_marks

ENOUGH = 2
"""Places of a service that are told apart: one person takes one, and a second where it moves within the house (ours)."""


class Read:
    """Depths to which lists were read: number of services that this person can get, or END. Equal ones are the same object.

    close: what was read closely, by the numbers of agencies; None: everything of all of them.
    """

    __slots__ = ("close", "lists")

    def __init__(self, lists: tuple[tuple[Wanted, int], ...], close: frozenset[tuple[int, str]] | None) -> None:
        self.lists, self.close = lists, close


class Named:
    """Everything that procedures name of a service: other roles and tags make no difference.

    begun: the procedures that begin, each with its steps that can begin at all. Those that they may lead to count whole.
    placing: the roles by which a place is sought, or that lock somebody up. bans, skills: the tags of bans, and of seats.
    """

    def __init__(self, policy: Policy, begun: Sequence[tuple[Pathway, Sequence[Step]]]) -> None:
        self.pathways = [one for one, _ in begun]
        for one in self.pathways:
            self.pathways += [other for other in policy.current if other.id in one.leads_to and other not in self.pathways]
        roles: set[str] = set()
        self.bans = frozenset(ban.tag for one in self.pathways for ban in one.never if ban.tag)
        ladders: set[Marks] = set()
        skills: set[str] = set()
        placing = {role for one in self.pathways for role in one.locked}
        for _, steps in (*begun, *((led_to, led_to.steps) for led_to in self.pathways[len(begun) :])):
            for step in steps:
                for rule in step.seats:
                    skills |= rule.skills
                    ladders |= {frozenset(rule.ladder)} - {frozenset()}
                    roles |= {*rule.roles, *rule.last_resort}
                if step.placement is not None:
                    placing.update(step.placement.until_known, *step.placement.roles.values(), step.placement.secure)
                    placing.update(*(rule.last_resort for rule in step.seats))
        self.placing = frozenset(placing)
        self.roles, self.skills, self.ladders = frozenset(roles) | self.placing, frozenset(skills), tuple(ladders)


class Look:
    """Services that one kind of person finds in one municipality. home: where such a person lives."""

    def __init__(self, policy: Policy, place: str, home: str, person: Person, known: Known) -> None:
        self._policy, self._where, self._person, self._known = policy, (place, home), person, known
        where = policy.municipalities.get(place)
        desk = where.desk if where else policy.country_desk
        self._chain = (desk, policy.agencies[desk].above or policy.country_desk, policy.oversight)
        self._lists: dict[Wanted, tuple[tuple[Service, int], ...]] = {}
        self._keys: dict[Read, int] = {}

    def read(self, lists: Mapping[Wanted, int]) -> Read:
        """Return how far lists were read, counted in services that this person can get."""
        found = self.known(tuple((wanted, self._depth(wanted, number)) for wanted, number in lists.items() if wanted[0]))
        numbers = self.agencies(found)
        return self._known.read(found.lists, frozenset((numbers[agency[0]], agency[1]) for roles, agency in lists if not roles))

    def known(self, lists: tuple[tuple[Wanted, int], ...]) -> Read:
        """Return the one object for depths that are counted so, every agency read closely."""
        return self._known.read(lists, None)

    def _depth(self, wanted: Wanted, number: int) -> int:
        if number == END:
            return END
        return sum(1 for service, _ in self._policy.order(*wanted, *self._where)[:number] if service.id not in self._person.out)

    def key(self, read: Read) -> int:
        """Return a number for what so much of the directory holds, without names. The same number: a way that read so far cannot tell the
        looks apart."""
        if read not in self._keys:
            parts: list[object] = []
            services: dict[str, int] = {}
            agencies = self._follow(read, parts, services)
            for id in services:
                service = self._policy.services[id]
                number = agencies[service.agency]
                parts += [self._person.close(service, what) for what in Facet if read.close is None or (number, what) in read.close]
            parts += [agencies.setdefault(agency, len(agencies)) for agency in self._chain]
            self._keys[read] = self._known.number(tuple(parts))
        return self._keys[read]

    def agencies(self, read: Read) -> dict[str, int]:
        """Return the agencies that so much of the directory names, numbered. In looks with the same key the same number is the same
        agency."""
        agencies = self._follow(read, [], {})
        for agency in self._chain:
            agencies.setdefault(agency, len(agencies))
        return agencies

    def _follow(self, read: Read, parts: list[object], services: dict[str, int]) -> dict[str, int]:
        """Add what so much of the lists holds, number its services, and return the numbers of its agencies."""
        agencies: dict[str, int] = {}
        for wanted, depth in read.lists:
            found = self._list(wanted)
            for service, value in found[:depth]:
                number = services.setdefault(service.id, len(services))
                parts += (number, agencies.setdefault(service.agency, len(agencies)), value)
            parts.append(depth > len(found))
        return agencies

    def _list(self, wanted: Wanted) -> tuple[tuple[Service, int], ...]:
        if wanted not in self._lists:
            order = self._policy.order(*wanted, *self._where)
            self._lists[wanted] = tuple((one, self._value(one, role)) for one, role in order if one.id not in self._person.out)
        return self._lists[wanted]

    def _value(self, service: Service, role: str) -> int:
        """Return a number for everything about a service that affects how it is asked, but for what is read closely."""
        agency, named = self._policy.agencies[service.agency], self._person.named
        banned = tuple(not bans.isdisjoint(service.tags) for bans in self._person.bans)
        rungs = tuple(wanted.isdisjoint(agency.ladder) and agency.ladder for wanted in named.ladders)  # `findings` names such a ladder
        roles, tags = service.roles & named.placing, service.tags & named.bans
        return self._known.number((role, roles, tags, banned, service.places is None, rungs, agency.hours))


class Known:
    """Numbers for values that are compared often."""

    def __init__(self) -> None:
        self._reads: dict[object, Read] = {}
        self._numbers: dict[object, int] = {}

    def read(self, lists: tuple[tuple[Wanted, int], ...], close: frozenset[tuple[int, str]] | None) -> Read:
        """Return the one object for what was read."""
        if (lists, close) not in self._reads:
            self._reads[lists, close] = Read(lists, close)
        return self._reads[lists, close]

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
        self._looks: dict[tuple[str, str], Look] = {}

    def close(self, service: Service, what: Facet) -> object:
        """Return what is read closely of a service."""
        agency = self._policy.agencies[service.agency]
        if what is Facet.REACH:
            return agency.reach is Reach.PHONE, agency.ladder
        if what is Facet.ROLES:
            return service.roles & self.named.roles
        if what is Facet.SKILLS:
            return service.tags & self.named.skills
        return service.places if service.places is None else min(service.places, ENOUGH)

    def look(self, place: str, home: str) -> Look:
        """Return what this person of one municipality finds in another."""
        if (place, home) not in self._looks:
            self._looks[place, home] = Look(self._policy, place, home, self, self._known)
        return self._looks[place, home]


class People:
    """The kinds of persons of a policy, each made once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._named: dict[object, Named] = {}
        self._steps: dict[object, tuple[Step, ...]] = {}
        self._out: dict[object, frozenset[str]] = {}
        self._people: dict[object, Person] = {}
        self._known = Known()

    def person(self, begun: Sequence[Pathway], given: Circumstance) -> Person:
        """Return the person with these circumstances, for whom these procedures begin."""
        marks = trait_marks(given.traits) | {consent_mark(given.consent, 0)}
        steps = [(one, self._possible(one, marks)) for one in begun]
        ids = tuple((one.id, tuple(step.id for step in some)) for one, some in steps)
        if ids not in self._named:
            self._named[ids] = Named(self._policy, steps)
        named, out = self._named[ids], self._not_for(given.traits)
        bans = tuple(frozenset(ban.tag for ban in one.never if ban.tag and met(ban.when, marks)) for one in named.pathways)
        if (named, out, bans) not in self._people:
            self._people[named, out, bans] = Person(self._policy, named, out, bans, self._known)
        return self._people[named, out, bans]

    def _possible(self, pathway: Pathway, marks: Marks) -> tuple[Step, ...]:
        """Return the steps that can begin. Found once for all that name the same of these marks."""
        here = pathway.digest, frozenset(mark for mark in marks if mark in pathway.names or mark.startswith("consent="))
        if here not in self._steps:
            self._steps[here] = tuple(possible(pathway, marks).values())
        return self._steps[here]

    def _not_for(self, traits: Traits) -> frozenset[str]:
        """Return the services that nobody of this age and sex can get."""
        who = (traits.age, traits.age_band, traits.sex)
        if who not in self._out:
            every = self._policy.services.values()
            self._out[who] = frozenset(one.id for one in every if one.places == 0 or ineligible(traits, one))
        return self._out[who]


class Task(Struct, frozen=True):
    """One kind of case of one pathway. traits and consent: of its example. places: municipalities that have children of this kind.

    depth: how many agencies fail at most.
    """

    pathway: str
    traits: Traits
    consent: Consent | None
    places: tuple[str, ...]
    depth: int = 1


Family = tuple[Task, ...]

PAIRS = "concern=trafficking"
"""Procedures of this concern are checked with two failures when the check is deep."""


def families(
    policy: Policy, failing: int, *, deep: bool = False, pathways: tuple[str, ...] = (), places: tuple[str, ...] = ()
) -> tuple[Family, ...]:
    """Return all families. failing: how many agencies fail; deep: two in trafficking.

    pathways, places: only these, where any are named.
    """
    where = [id for id in policy.municipalities if not places or id in places]
    if not where:
        return ()
    found: list[Family] = []
    people = People(policy)
    for pathway in policy.every:
        if not pathways or pathway.id in pathways:
            pairs = deep and any(PAIRS in group for group in pathway.applies)
            found += _of(pathway, policy, where, 2 if pairs else failing, people)
    return tuple(found)


def every(pathway: Pathway, policy: Policy, places: tuple[str, ...]) -> Iterator[Task]:
    """Yield every circumstance in every municipality as a task, without merging them into kinds. For tests of the merging."""
    for given in circumstances(pathway, policy):
        for place in places:
            traits = structs.replace(given.traits, found_in=place)
            if applies(pathway, traits):
                yield Task(pathway.id, traits, given.consent, (place,))


def look_of(task: Task, policy: Policy, people: People) -> Look:
    """Return what the person of a task finds."""
    given = Circumstance(task.traits, task.consent)
    return people.person(begun(policy, task.pathway, given), given).look(task.traits.found_in, task.traits.home)


def alike(policy: Policy, people: People, pathway: str, given: Circumstance) -> tuple[Residue, Person]:
    """Return everything that a procedure can tell of a circumstance: with equal values, cases in one municipality go alike."""
    begins = begun(policy, pathway, given)
    return residue(begins, given), people.person(begins, given)


def begun(policy: Policy, pathway: str, given: Circumstance) -> Sequence[Pathway]:
    """Return what begins for such a person: with this procedure, or before one."""
    if (looks := next((one for one in policy.unverified if one.id == pathway), None)) is not None:
        return looked_at(policy, given.traits) or (looks,)
    return opened(policy, given.traits) or tuple(one for one in policy.current if one.id == pathway)


def _of(pathway: Pathway, policy: Policy, places: list[str], failing: int, people: People) -> Iterator[Family]:
    """Yield the families of one pathway."""
    named = {*tested_marks(pathway), *(mark for group in pathway.applies for mark in group)}
    by_place = any(mark.startswith("found_in=") for mark in named)
    members: dict[Residue, dict[tuple[Person, str, str], Task]] = {}
    for given in circumstances(pathway, policy):
        for some in [[place] for place in places] if by_place else [places]:
            traits = structs.replace(given.traits, found_in=some[0])
            if by_place and not applies(pathway, traits):
                continue
            left, person = alike(policy, people, pathway.id, given._replace(traits=traits))
            family = members.setdefault(left, {})
            home = given.traits.home
            for place in some if (person, some[0], home) not in family else ():
                family[person, place, home] = Task(pathway.id, structs.replace(traits, found_in=place), given.consent, (place,), failing)
    for family in members.values():
        yield tuple(family.values())
