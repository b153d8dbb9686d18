"""The policy in force: procedures, directory and calendar as one value, compiled from files by `compile`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from referral.domain.policy.directory import Agency, Municipality, Section, Service
from referral.domain.policy.guidance import Guidance, Source
from referral.domain.policy.limits import Calendar, Limit
from referral.domain.policy.procedure import Pathway
from referral.domain.policy.questions import Questions
from referral.domain.policy.reading.directory import read_directory
from referral.domain.policy.reading.guidance import FOLDER
from referral.domain.policy.reading.procedure import read_procedure
from referral.domain.policy.reading.reader import PolicyErrors, Reader
from referral.domain.policy.reading.signers import read_signers
from referral.domain.policy.reading.unverified import read_unverified
from referral.domain.policy.reading.vocabulary import OF_HOME, OTHER, UNVERIFIED
from referral.domain.policy.reviews import Review

__all__ = ["ENGINE", "Policy", "PolicyErrors", "compile"]

ENGINE: int = 5
"""Behaviour version of decide(): increased when the same case, input, facts and policy yield other events. Before, this one is frozen
(docs/decisions/0086)."""

RIGHTS = "authority.yaml"
"""File of who may do what at the doors, in every bundle for whoever reads the log. Programs have the table of their own version."""
Order = tuple[tuple[Service, str], ...]
"""Services in the order in which they are asked, each with the role it is asked for."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy.

    directory: SHA-256 over all files but procedures, guidance and the table of rights, which decide no way of a case, hex.
    pinned: every procedure that was ever in force, by digest; with them what was done before a referral was confirmed.
    unverified: what is done before a referral that nobody vouches for is confirmed; empty in a bundle from before there was such a thing.
    reviews: path of a text or a procedure → who has read it as it stands; nobody has read those that are missing.
    numbers: word → telephone number of the country, as people write it; none in a bundle from before there were such words.
    guidance: code → language → text; empty in a bundle from before there was guidance.
    areas: kind → its areas, in the order in which all others of a kind are searched.
    questions: what people are asked about the person; none in a bundle from before there were any.
    signers: name → key of those who sign the bundles that follow; empty: this bundle does not change them.
    """

    current: tuple[Pathway, ...]
    pinned: Mapping[str, Pathway]
    directory: str
    agencies: Mapping[str, Agency]
    services: Mapping[str, Service]
    municipalities: Mapping[str, Municipality]
    areas: Mapping[str, tuple[str, ...]]
    sections: Mapping[str, Section]
    codes: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, Mapping[str, Mapping[str, str]]]
    calendar: Calendar
    country_desk: str
    oversight: str
    repeat: Limit
    stopped: Limit
    guidance: Mapping[str, Mapping[str, Guidance]]
    sources: Mapping[str, Source]
    reviews: Mapping[str, Review]
    numbers: Mapping[str, str]
    signers: Mapping[str, bytes]
    questions: Questions
    properties: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Codes with a property of their list, e.g. `role.home`."""
    unverified: tuple[Pathway, ...] = ()
    _orders: dict[tuple[tuple[str, ...], tuple[str, ...], str, str], Order] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _asked: dict[tuple[str, str, str, str], tuple[Service, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _placing: dict[tuple[str, str, str], frozenset[str]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _placing_after: dict[tuple[str, str, str], frozenset[str]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _by_role: dict[str, list[Service]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _capacities: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def every(self) -> tuple[Pathway, ...]:
        """Return all that is in force: the procedures, and what is done before a referral is confirmed."""
        return (*self.current, *self.unverified)

    def names(self, kind: str, id: str, language: str) -> str:
        """Return the name of an agency, municipality, section, question or code (kind: its list) in sq, sr-Latn, sr-Cyrl or en; else
        the id itself."""
        things: Mapping[str, Mapping[str, Agency | Municipality | Section]] = {
            "agency": self.agencies,
            "municipality": self.municipalities,
            "section": self.sections,
        }
        if kind == "question":
            asked = self.questions.each.get(id)
            return (asked.names.get(language) or asked.names.get("en") or id) if asked else id
        thing = things.get(kind, {}).get(id)
        found = self.labels.get(kind, {}).get(id, {}) if thing is None else thing.names
        return found.get(language) or found.get("en") or id

    def capacities(self) -> Mapping[str, int]:
        """Return service id → number of places, of those services that have a number of them."""
        if not self._capacities:
            self._capacities.update({one.id: one.places for one in self.services.values() if one.places is not None})
        return self._capacities

    def review(self, pathway: Pathway) -> Review:
        """Return who has read a procedure in force as it stands."""
        return self.reviews.get(f"{'unverified' if pathway.unverified else 'pathways'}/{pathway.id}.yaml", Review())

    def guiding(self, pathway: str, step: str) -> tuple[str, ...]:
        """Return the codes of the guidance of a step, as the newest procedure names them that has the step; none where no text is there.

        pathway: of the step; empty: any. Texts decide nothing, so that running procedures get the newest too.
        """
        versions = (*self.every, *reversed(tuple(self.pinned.values())))
        found = next((at for each in versions if pathway in ("", each.id) and (at := each.step(step)) is not None), None)
        return tuple(code for code in (found.guidance if found else ()) if code in self.guidance)

    def order(self, roles: tuple[str, ...], areas: tuple[str, ...], place: str, home: str) -> Order:
        """Return the services that may be asked, each once with the role it is asked for: role by role, and within a role area by area.

        place, home: municipalities where the person is, and at home; empty: not known.
        """
        key = (roles, areas, place, home)
        if key not in self._orders:
            found: dict[Service, str] = {}
            for role in roles:
                for area in areas:
                    for service in self.serving(role, area, place, home):
                        found.setdefault(service, role)
            self._orders[key] = tuple(found.items())
        return self._orders[key]

    def placing(self, pathway: Pathway, place: str, home: str) -> frozenset[str]:
        """Return the ids of the services with places that a procedure may ever ask in one municipality, for a person of another."""
        key = (pathway.digest, place, home)
        if key not in self._placing:
            found = set()
            for step in pathway.placements:
                for rule in step.seats:
                    found |= {s for role in step.places_asked for area in rule.areas for s in self.serving(role, area, place, home)}
            self._placing[key] = frozenset(service.id for service in found if service.places is not None)
        return self._placing[key]

    def placing_after(self, pathway: Pathway, place: str, home: str) -> frozenset[str]:
        """Return the same for a procedure and all in force that it may begin, directly or through one another."""
        key = (pathway.digest, place, home)
        if key not in self._placing_after:
            reached = [pathway]
            for each in reached:
                reached += [other for other in self.current if other.id in each.leads_to and other not in reached]
            self._placing_after[key] = frozenset[str]().union(*(self.placing(each, place, home) for each in reached))
        return self._placing_after[key]

    def serving(self, role: str, area: str, place: str, home: str = "") -> tuple[Service, ...]:
        """Return the services of a role in one area word, relative to a municipality, in order of id (neighbours and kinds of areas in the
        order of the file)."""
        key = (role, area, place, home)
        if key not in self._asked:
            self._asked[key] = tuple(dict.fromkeys(s for where in self._covers(area, place, home) for s in self._having(role, where)))
        return self._asked[key]

    def _having(self, role: str, cover: str) -> list[Service]:
        """Return the services with this role and cover word, in order of id."""
        if not self._by_role:
            for _, service in sorted(self.services.items()):
                for each in service.roles:
                    self._by_role.setdefault(each, []).append(service)
        return [service for service in self._by_role.get(role, ()) if cover in service.covers]

    def _covers(self, area: str, place: str, home: str) -> list[str]:
        """Return the cover words for an area word. A municipality that is not in the directory has only the country."""
        if area == "home" or area.startswith(OF_HOME):
            return self._covers(area.removeprefix(OF_HOME) if area != "home" else "found-in", home, "")
        here = self.municipalities.get(place)
        if area == "country":
            return ["country"]
        if here is None:
            return []
        match area:
            case "found-in":
                return [place]
            case "neighbour":
                return list(here.neighbours)
            case "region":
                return list(here.covers)
            case "other-region":
                return [cover for kind, ids in self.areas.items() for id in ids if (cover := f"{kind}:{id}") not in here.covers]
        kind = area.removeprefix(OTHER)
        own = f"{kind}:{here.areas[kind]}"
        return [own] if kind == area else [cover for id in self.areas[kind] if (cover := f"{kind}:{id}") != own]


def compile(files: Mapping[str, bytes], before: Policy | None = None) -> Policy:
    """Compile a policy from files: path below policy/ → exact bytes.

    before: the policy until now; its procedures stay available to the tracks that are pinned to them. Raises PolicyErrors with everything
    that is unknown or incomplete.
    """
    reader = Reader(files)
    directory = read_directory(reader)
    pathways = tuple(read_procedure(reader, path, directory) for path in sorted(files) if path.startswith("pathways/"))
    if not pathways:
        reader.error("pathways/", 0, "no procedure; add pathways/<id>.yaml")
    unverified = tuple(read_unverified(reader, path, directory) for path in sorted(files) if path.startswith(UNVERIFIED))
    signers = read_signers(reader)
    reader.finish()
    known = {pathway.digest: pathway for pathway in (*pathways, *unverified)}
    digest = hashlib.sha256()
    for path in sorted(files):
        if not path.startswith(("pathways/", FOLDER, RIGHTS)):
            digest.update(path.encode() + b"\0" + hashlib.sha256(files[path]).digest())
    return Policy(
        current=pathways,
        pinned={**(before.pinned if before else {}), **known},
        directory=digest.hexdigest(),
        agencies=directory.agencies,
        services=directory.services,
        municipalities=directory.municipalities,
        areas=directory.areas,
        sections=directory.sections,
        codes=directory.codes,
        labels=directory.labels,
        calendar=directory.calendar,
        country_desk=directory.country_desk,
        oversight=directory.oversight,
        repeat=directory.repeat,
        stopped=directory.stopped,
        guidance=directory.guidance.texts,
        sources=directory.guidance.sources,
        reviews=directory.reviews,
        numbers=directory.numbers,
        signers=signers,
        properties=directory.properties,
        questions=directory.questions,
        unverified=unverified,
    )
