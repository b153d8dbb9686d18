"""What the conditions of a procedure say, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from referral.domain.policy import Policy
from referral.domain.procedure import Marks
from referral.domain.procedure_words import TRAITS

AREAS = {
    "found-in": "where the person is",
    "neighbour": "neighbouring municipalities",
    "region": "the region",
    "other-region": "other regions",
    "country": "the whole country",
}
CIRCUMSTANCES = {
    "concern": "concern",
    "age": "age",
    "age_band": "age band",
    "sex": "sex",
    "found_in": "found in",
    "home": "home",
    "urgency": "urgency",
    "origin": "origin",
    "asylum": "asylum",
    "languages": "language",
    "flags": "circumstance",
    "consent": "consent",
}
STATES = {
    "acknowledge-missed": "not acknowledged in time",
    "secure": "in a facility that locks up",
    "misplaced": "another kind of place is needed",
}


class Speaker:
    """Names of one policy, in English: what experts of several languages sign together."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def name(self, kind: str, id: str) -> str:
        """The English name of a code; a holder or a code without names is its own."""
        return self.policy.names(kind, id, "en")

    def all(self, kind: str, ids: Iterable[str], joined: str = ", ") -> str:
        return joined.join(self.name(kind, id) for id in ids)

    def mark(self, mark: str) -> tuple[str, str]:
        """What it is about, and what is said of it."""
        trait, is_trait, value = mark.partition("=")
        if is_trait:
            return CIRCUMSTANCES.get(trait, trait), self.name(TRAITS.get(trait, trait), value)
        step, _, word = mark.partition(".")
        return self.name("step", step), STATES.get(word) or self.name("decision", word)

    def any_of(self, marks: Marks) -> str:
        """Of these one is enough: `Risk: High risk or Medium risk`."""
        about: dict[str, list[str]] = {}
        for mark in sorted(marks):
            subject, said = self.mark(mark)
            about.setdefault(subject, []).append(said)
        return "; or ".join(f"{subject}: {' or '.join(said)}" for subject, said in about.items())

    def all_of(self, marks: Marks) -> str:
        """All of these must stand: `Police: accepted; and Guardian: decided`."""
        return "; and ".join(f"{subject}: {said}" for subject, said in map(self.mark, sorted(marks)))

    def every(self, groups: Sequence[Marks]) -> str:
        """Of each group one is enough."""
        return "; and ".join(self.any_of(group) for group in groups)
