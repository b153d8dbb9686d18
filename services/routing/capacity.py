"""Free places, counted down in memory while the rows are locked, so that no bed is promised twice. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from referral.domain.case import Case, holds


class Places(Struct, kw_only=True):
    """free: service id → places not held, of the rows that were found. locked: all that were asked for. moved: change of `held` since."""

    free: dict[str, int] = field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    moved: dict[str, int] = field(default_factory=dict)

    def unlocked(self, wanted: Iterable[str]) -> set[str]:
        """Those of which nothing may be said, because another instance may be counting them down."""
        return set(wanted) - self.locked

    def seen(self, wanted: Iterable[str]) -> dict[str, int]:
        """What a decision may look at; a service without a row has no place."""
        return {service: max(0, self.free.get(service, 0)) for service in sorted(wanted)}

    def move(self, before: Case | None, after: Case | None) -> None:
        """Keep count of what a decision took and gave back."""
        for service, change in difference(held(before), held(after)).items():
            self.free[service] = self.free.get(service, 0) - change
            self.moved[service] = self.moved.get(service, 0) + change


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """How many more places of each service are held after than before; services without a change are left out."""
    if before == after:  # as a rule
        return {}
    both = sorted(before.keys() | after.keys())
    return {service: change for service in both if (change := after.get(service, 0) - before.get(service, 0))}


def held(case: Case | None) -> Mapping[str, int]:
    """Places that the case holds; none before it exists."""
    return holds(case) if case else {}
