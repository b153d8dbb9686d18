"""One case under way in a simulated world: the case itself, and what its people have before them."""

from __future__ import annotations

from msgspec import Struct

from referral.domain.case import Case
from referral.domain.caseload_answers import Asked
from referral.domain.events import NeedsPerson
from referral.domain.procedure import Pathway


class Live(Struct, eq=False):
    """name: as Arrival has it; of a case that another raised, `0-17.1`. alarm: the one that is set, µs UTC. held: places by service.

    offers: by offer id. tasks: by task id. counts: how often an occasion has come up, by name.
    first: when an agency first accepted; 0 until then.
    """

    name: str
    id: str
    at: int
    pathway: str
    place: str
    raised: bool
    case: Case | None = None
    inputs: int = 0
    alarm: int | None = None
    first: int = 0
    bed: int = 0
    ended: str = ""
    held: dict[str, int] = {}
    offers: dict[str, Asked] = {}
    tasks: dict[str, NeedsPerson] = {}
    pathways: dict[str, Pathway] = {}
    counts: dict[str, int] = {}

    def again(self, occasion: str) -> int:
        """How often this has happened before; it has now once more."""
        before = self.counts.get(occasion, 0)
        self.counts[occasion] = before + 1
        return before
