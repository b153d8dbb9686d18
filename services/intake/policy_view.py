"""What the door asks of the policy: the words of every code list, and who is whose desk. A value, made from the compiled policy.

The policy in force as this process sees it: followed on its topic, compiled once for each bundle, off the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Mapping

from msgspec import Struct

from referral.domain.policy import Policy, PolicyErrors, policy
from referral.domain.policy.directory import Signing
from referral.domain.policy.reading.reader import allowed
from referral.domain.rules.conditions import SETTLED
from referral.errors import Rejected, Unavailable
from referral.runtime import garbage, observe
from referral.runtime.policy_feed import Bundles

RAISED = "raised"
"""How a case that the system itself raised is linked to the one that it is about: no person gives such an order."""


class Lists(Struct, frozen=True, kw_only=True):
    """codes: list → its words in the policy's order. desks: municipality → agency. withdrawal: pathway → what becomes of it when consent is
    withdrawn: continue, anonymous or stop. oversight: who sends what the system itself raises. number: of the bundle."""

    number: int
    codes: Mapping[str, tuple[str, ...]]
    desks: Mapping[str, str]
    withdrawal: Mapping[str, str]
    oversight: str
    country_desk: str
    places: Mapping[str, str] = {}
    """Names of municipalities in every language, in lower case → id."""
    personal: frozenset[str] = frozenset()
    """Sections that tell who the person is."""
    without_consent: frozenset[tuple[str, str]] = frozenset()
    """(pathway, step) of what is done also when consent is withdrawn."""
    signing: Mapping[str, Signing] = {}
    """Agencies that sign what their systems send, each with its keys."""

    def signing_of(self, agency: str) -> Signing:
        """Whether it must sign, and with which keys; an agency without keys need not."""
        return self.signing.get(agency, Signing())

    def place(self, name: str) -> str:
        """The municipality of this id or name; empty when it is none."""
        return name if name in self.codes.get("municipality", ()) else self.places.get(name.casefold(), "")

    def desk(self, municipality: str, kept_away: Container[str] = ()) -> str:
        """Whose desk a case stands at: where the directory does not know the place, or the case keeps its desk away, the country's."""
        chain = (self.desks.get(municipality, self.country_desk), self.country_desk, self.oversight)
        return next((desk for desk in chain if desk not in kept_away), self.oversight)

    def is_last_desk(self, municipality: str, kept_away: Container[str], agency: str) -> bool:
        """Whether an agency is the only one that is left to look at a case of this place."""
        chain = {self.desks.get(municipality, self.country_desk), self.country_desk, self.oversight}
        return agency in chain and not any(desk not in kept_away for desk in chain - {agency})

    def keepable(self, municipality: str, kept_away: Iterable[str], actors: Iterable[str]) -> tuple[str, ...]:
        """Those of these (kind:id) that may be kept away besides, as routing decides it: one desk is left."""
        away, found = set(kept_away), list[str]()
        for actor in actors:
            kind, _, agency = actor.partition(":")
            if kind == "agency" and self.is_last_desk(municipality, away, agency):
                continue
            away |= {agency} if kind == "agency" else set()
            found.append(actor)
        return tuple(found)

    def word(self, name: str, value: str, where: str, *, empty: bool = False) -> str:
        """The value itself, when the list has it. Rejected(unknown-code) names the allowed words."""
        known = self.codes.get(name, ())
        if (empty and value == "") or value in known:
            return value
        if name == "agency":  # hundreds: the nearest word helps, the list does not
            raise Rejected("unknown-code", where, allowed(value, known))
        raise Rejected("unknown-code", where, f"use one of: {', '.join(known)}" if known else f"this policy has no list {name}")

    def words(self, name: str, values: Iterable[str], where: str) -> tuple[str, ...]:
        """All of them, in the order given. Rejected also for a repeated one."""
        found = tuple(self.word(name, value, f"{where}[{i}]") for i, value in enumerate(values))
        if len(set(found)) != len(found):
            raise Rejected("repeated-code", where, "name each word once")
        return found


def _forbidding(policy: Policy) -> Iterable[str]:
    return (actor for pathway in policy.current for step in pathway.steps for actor in step.forbid.values())


def of(policy: Policy, number: int) -> Lists:
    """The part of a compiled policy that the door asks. number: of its bundle."""
    codes = {
        **policy.codes,
        "municipality": tuple(policy.municipalities),
        "agency": tuple(policy.agencies),
        "section": tuple(policy.sections),
        # What an agency writes: not what is told from traits, nor the words of answers, which come with the answer.
        "written": tuple(s for s, about in policy.sections.items() if about.personal and s not in policy.codes.get("need", ())),
        "relation": tuple(sorted({actor.removeprefix("relation:") for actor in _forbidding(policy) if actor.startswith("relation:")})),
        "procedure": tuple(pathway.id for pathway in policy.current),
        "linking": tuple(how for how in policy.codes.get("link", ()) if how != RAISED),
        "target": (*policy.services, *policy.codes.get("decision", ()), SETTLED),
    }
    every = (*policy.pinned.values(), *policy.current)  # of several versions the newest counts
    return Lists(
        number=number,
        codes=codes,
        desks={id: place.desk for id, place in policy.municipalities.items()},
        withdrawal={one.id: one.consent.on_withdrawal if one.consent.needed else "continue" for one in every},
        personal=frozenset(section for section, about in policy.sections.items() if about.personal),
        without_consent=frozenset((one.id, step.id) for one in every for step in one.steps if step.without_consent),
        places={name.casefold(): id for id, place in policy.municipalities.items() for name in place.names.values()},
        oversight=policy.oversight,
        signing={id: agency.signing for id, agency in policy.agencies.items() if agency.signing.keys},
        country_desk=policy.country_desk,
    )


class InForce:
    """Give `follow` to the service's background work."""

    def __init__(self, bundles: Bundles) -> None:
        self._bundles = bundles
        self._now: tuple[Policy, Lists] | None = None

    @property
    def policy(self) -> Policy:
        """Unavailable: none was ever activated, or the broker has not told us yet."""
        return self._both()[0]

    @property
    def lists(self) -> Lists:
        """Its words, for the door. Unavailable as above."""
        return self._both()[1]

    async def follow(self) -> None:
        """Until cancelled. A bundle that this program cannot compile is passed over aloud: the policy before it stays in force."""
        number, before = 0, None
        while True:
            await self._bundles.wait(number + 1)
            for bundle in self._bundles.all[number:]:
                number = bundle.number
                try:
                    before = await asyncio.to_thread(policy.compile, bundle.files, before)
                except PolicyErrors:
                    observe.POLICY_PASSED_OVER.labels("policy-errors").inc()
                    observe.log().error("policy passed over", number=number, reason="policy-errors")
                else:
                    self._now = before, of(before, number)
            garbage.settle()

    def _both(self) -> tuple[Policy, Lists]:
        if self._now is None:
            raise Unavailable("the policy")
        return self._now
