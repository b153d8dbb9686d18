"""Count free places in memory while a batch is decided; `store.move_places` takes what was decided, if it is still free. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from referral.domain.case import Case, holds


class FreePlaces(Struct, kw_only=True):
    """Free places during one batch.

    free: service id → places not held, of the rows that exist.
    moved: service id → change of `held` since the batch began. exercises: as for `held`.
    """

    free: dict[str, int] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    exercises: bool = True

    def seen(self, wanted: Iterable[str]) -> dict[str, int]:
        """Return the free places that a decision may use; a service without a row has none."""
        return {service: max(0, self.free.get(service, 0)) for service in sorted(wanted)}

    def move(self, before: Case | None, after: Case | None) -> None:
        """Count the places that a decision took and gave back."""
        for service, change in difference(held(before, self.exercises), held(after, self.exercises)).items():
            self.free[service] = self.free.get(service, 0) - change
            self.moved[service] = self.moved.get(service, 0) + change


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return, for each service, how many more places are held after than before; leave out services without a change."""
    if before == after:  # the usual case
        return {}
    both = sorted(before.keys() | after.keys())
    return {service: change for service in both if (change := after.get(service, 0) - before.get(service, 0))}


def held(case: Case | None, exercises: bool) -> Mapping[str, int]:
    """Return the places that the case takes from others; none before the case exists.

    exercises: the database is for drills alone, where exercises compete with one another. On the real line an exercise takes no place: no
    child is turned away because of one.
    """
    return holds(case) if case and (exercises or not case.drill) else {}
