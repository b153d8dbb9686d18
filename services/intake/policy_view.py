"""The part of the policy in force that intake's entry points use: code lists, desks, signing keys and consent rules.

`Lists` is a value, made of the compiled policy. `PolicyInForce` follows the policy topic and compiles each bundle once, off the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Mapping

from msgspec import Struct

from referral.domain.policy import Policy, PolicyErrors, policy
from referral.domain.policy.directory import OLD, Signing
from referral.domain.policy.form import Table
from referral.domain.policy.questions import KNOWN, Questions
from referral.domain.policy.reading.reader import allowed
from referral.domain.rules.conditions import SETTLED
from referral.errors import Rejected, Unavailable
from referral.runtime import garbage, observe
from referral.runtime.policy_feed import Bundles
from referral.wire.signed import agency_keys
from referral.wire.signed.agency_keys import AgencyKeys

PUBLIC = "public"
"""The agency in whose name the public page refers; the page is closed unless the directory has it, as `unverified`."""
RAISED = "raised"
"""The kind of link between a case that the system raised and the case that it is about. No person may order such a link."""


class Form(Struct, frozen=True, kw_only=True):
    """The form of a decision. section: where its answers are. codes: of the decision."""

    section: str
    codes: tuple[str, ...]
    table: Table

    def level(self, pointed: str) -> str:
        """Return the level that the form points to, or the next graver one that the step decides."""
        return self.table.among(pointed, self.codes)


class Lists(Struct, frozen=True, kw_only=True):
    """The policy's code lists, desks and rules, as the entry points need them.

    number: of the bundle.
    codes: name of a list → its words, in the policy's order.
    desks: municipality → agency.
    withdrawal: pathway → its rule when consent is withdrawn: continue, anonymous or stop.
    oversight: the agency in whose name the system raises cases.
    country_desk: the agency that is the desk where no municipality's is.
    """

    number: int
    codes: Mapping[str, tuple[str, ...]]
    desks: Mapping[str, str]
    withdrawal: Mapping[str, str]
    oversight: str
    country_desk: str
    places: Mapping[str, str] = {}
    """Name of a municipality in any language, in lower case → its id."""
    personal: frozenset[str] = frozenset()
    """Sections that identify the person."""
    without_consent: frozenset[tuple[str, str]] = frozenset()
    """(pathway, step) of the steps that continue when consent is withdrawn."""
    public: str = ""
    """Agency in whose name the public page refers: nobody vouches for it. Empty: the page takes nothing."""
    writes: Mapping[tuple[str, str, int], tuple[str, ...]] = {}
    """(pathway, step, seat) → the sections that its holder writes."""
    signing: Mapping[str, AgencyKeys] = {}
    """Agencies whose systems sign, or signed before, each with its keys and the times from which they count."""
    contacts: Mapping[tuple[str, str], tuple[str, ...]] = {}
    """(pathway, step) → the steps whose holders its agency is shown."""
    questions: Questions = Questions()
    """What people are asked about the person; none before the policy had any."""
    telephones: Mapping[str, str] = {}
    """Agency → the telephone of its office."""
    persons: Mapping[tuple[str, str, int], bool] = {}
    """(pathway, step, seat) of the seats for which only a person answers → whether it is one of two persons who decide."""
    forms: Mapping[tuple[str, str], Form] = {}
    """(pathway, step) of the decisions whose form points to a level."""
    tables: Mapping[str, Table] = {}
    """Section that several agencies fill as a form → what its answers point to."""
    old: Mapping[str, frozenset[str]] = {}
    """Code list → its codes that are still taken, and that no form offers any more."""

    def offered(self, name: str) -> tuple[str, ...]:
        """Return the codes of a list that a form offers."""
        return tuple(code for code in self.codes.get(name, ()) if code not in self.old.get(name, frozenset()))

    def written_by(self, pathway: str, step: str, seat: int, shows: Iterable[str]) -> tuple[str, ...]:
        """Return the sections that a seat writes; for a seat that the newest procedure lacks, those that it reads and agencies write."""
        written = self.codes.get("written", ())
        return self.writes.get((pathway, step, seat), tuple(section for section in shows if section in written))

    def signing_of(self, agency: str, now: int) -> Signing:
        """Return the signing rule of an agency and the keys that count. now: µs UTC; an agency that never had a key need not sign."""
        return self.signing[agency].at(now) if agency in self.signing else Signing()

    def place(self, name: str) -> str:
        """Return the id of the municipality with this id or name; empty when there is none."""
        return name if name in self.codes.get("municipality", ()) else self.places.get(name.casefold(), "")

    def desk(self, municipality: str, kept_away: Container[str] = ()) -> str:
        """Return the desk of a case: the municipality's desk; the country's desk where the municipality is unknown or the case excludes
        that desk; else oversight."""
        chain = (self.desks.get(municipality, self.country_desk), self.country_desk, self.oversight)
        return next((desk for desk in chain if desk not in kept_away), self.oversight)

    def is_last_desk(self, municipality: str, kept_away: Container[str], agency: str) -> bool:
        """Return True if this agency is the last desk that may still see a case of this municipality."""
        chain = {self.desks.get(municipality, self.country_desk), self.country_desk, self.oversight}
        return agency in chain and not any(desk not in kept_away for desk in chain - {agency})

    def keepable(self, municipality: str, kept_away: Iterable[str], actors: Iterable[str]) -> tuple[str, ...]:
        """Return those of the actors (kind:id) that may be excluded as well, by routing's rule: one desk must remain."""
        away, allowed_actors = set(kept_away), list[str]()
        for actor in actors:
            kind, _, agency = actor.partition(":")
            if kind == "agency" and self.is_last_desk(municipality, away, agency):
                continue
            away |= {agency} if kind == "agency" else set()
            allowed_actors.append(actor)
        return tuple(allowed_actors)

    def word(self, name: str, value: str, where: str, *, empty: bool = False) -> str:
        """Return the value if the list contains it. Rejected(unknown-code) names the allowed words."""
        known = self.codes.get(name, ())
        if (empty and value == "") or value in known:
            return value
        if name == "agency":  # there are hundreds: name the nearest one, not the whole list
            raise Rejected("unknown-code", where, allowed(value, known))
        raise Rejected("unknown-code", where, f"use one of: {', '.join(known)}" if known else f"this policy has no list {name}")

    def words(self, name: str, values: Iterable[str], where: str) -> tuple[str, ...]:
        """Return all values, in the given order. Rejected: a value is unknown or repeated."""
        checked = tuple(self.word(name, value, f"{where}[{i}]") for i, value in enumerate(values))
        if len(set(checked)) != len(checked):
            raise Rejected("repeated-code", where, "name each word once")
        return checked


def _forbidding(policy: Policy) -> Iterable[str]:
    return (actor for pathway in policy.every for step in pathway.steps for actor in step.forbid.values())


def of(policy: Policy, number: int, keys: Mapping[str, AgencyKeys] | None = None) -> Lists:
    """Return the lists of a compiled policy. number: of its bundle. keys: of the agencies; by default those of a first bundle, which count
    at once."""
    codes = {
        **policy.codes,
        "municipality": tuple(policy.municipalities),
        "agency": tuple(policy.agencies),
        "section": tuple(policy.sections),
        # Sections that an agency writes: neither those derived from traits, nor what is recorded with an answer or a change.
        "written": tuple(s for s, about in policy.sections.items() if about.personal and s not in (*policy.codes.get("need", ()), KNOWN)),
        "relation": tuple(sorted({actor.removeprefix("relation:") for actor in _forbidding(policy) if actor.startswith("relation:")})),
        "procedure": tuple(pathway.id for pathway in policy.current),
        "linking": tuple(how for how in policy.codes.get("link", ()) if how != RAISED),
        "target": (*policy.services, *policy.codes.get("decision", ()), SETTLED),
    }
    every = (*policy.pinned.values(), *policy.every)  # the newest of several versions overwrites the others
    return Lists(
        number=number,
        codes=codes,
        desks={id: place.desk for id, place in policy.municipalities.items()},
        withdrawal={version.id: version.consent.on_withdrawal if version.consent.needed else "continue" for version in every},
        personal=frozenset(section for section, about in policy.sections.items() if about.personal),
        without_consent=frozenset((version.id, step.id) for version in every for step in version.steps if step.without_consent),
        writes={
            (version.id, step.id, seat): rule.writes for version in every for step in version.steps for seat, rule in enumerate(step.seats)
        },
        places={name.casefold(): id for id, place in policy.municipalities.items() for name in place.names.values()},
        oversight=policy.oversight,
        signing=agency_keys.after({}, agency_keys.listed(policy.agencies), 0) if keys is None else keys,
        country_desk=policy.country_desk,
        contacts={(version.id, step.id): step.contacts for version in every for step in version.steps if step.contacts},
        telephones={id: agency.telephone for id, agency in policy.agencies.items() if agency.telephone},
        old={"age-band": policy.properties.get(OLD, frozenset())},
        persons={
            (version.id, step.id, seat): step.two_persons
            for version in every
            for step in version.steps
            for seat, rule in enumerate(step.seats)
            if (step.two_persons and not step.second_below) or rule.apart
        },
        questions=policy.questions,
        forms={
            (version.id, step.id): Form(section=step.form, codes=step.codes, table=step.table)
            for version in every
            for step in version.steps
            if step.table is not None
        },
        tables={section: about.table for section, about in policy.sections.items() if about.table is not None},
        public=PUBLIC if PUBLIC in policy.agencies and policy.agencies[PUBLIC].unverified else "",
    )


class PolicyInForce:
    """The policy in force, as this process has read it. The wiring runs `follow` as background work."""

    def __init__(self, bundles: Bundles) -> None:
        self._bundles = bundles
        self._now: tuple[Policy, Lists] | None = None

    @property
    def policy(self) -> Policy:
        """Return the compiled policy. Unavailable: no policy was ever activated, or none has arrived from the broker yet."""
        return self._both()[0]

    @property
    def lists(self) -> Lists:
        """Return the lists of the policy. Unavailable: as `policy`."""
        return self._both()[1]

    async def follow(self) -> None:
        """Follow the policy topic until cancelled. A bundle that does not compile is logged and counted; the policy before it stays in
        force."""
        number, before, keys = 0, None, dict[str, AgencyKeys]()
        while True:
            await self._bundles.wait(number + 1)
            replaced = before is not None
            for bundle in self._bundles.all[number:]:
                number = bundle.number
                try:
                    before = await asyncio.to_thread(policy.compile, bundle.files, before)
                except PolicyErrors:
                    observe.POLICY_PASSED_OVER.labels("policy-errors").inc()
                    observe.log().error("policy passed over", number=number, reason="policy-errors")
                else:
                    keys = agency_keys.after(keys, agency_keys.listed(before.agencies), bundle.published)
                    self._now = before, of(before, number, keys)
            garbage.settle() if replaced else garbage.keep()

    def _both(self) -> tuple[Policy, Lists]:
        if self._now is None:
            raise Unavailable("the policy")
        return self._now
