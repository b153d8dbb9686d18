"""Run the same world under two policies side by side, and find the cases that go elsewhere and the decision at which each first does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct, field

from referral.analysis.compare import ELSEWHERE, SAID, TOLD, Differences, Moment, Parted, part, parting, story
from referral.analysis.simulation.caseload import Caseload
from referral.analysis.simulation.reactions import Live
from referral.analysis.simulation.tally import Tally
from referral.analysis.simulation.world import Decided, World
from referral.domain.policy import Policy


class Pair(Struct, eq=False):
    """One case in both worlds. waiting: decisions of either that the other has not reached yet. alike: number of equal decisions."""

    live: Live
    waiting: tuple[deque[Moment], deque[Moment]] = field(default_factory=lambda: (deque(), deque()))
    last: deque[Moment] = field(default_factory=lambda: deque(maxlen=TOLD))
    alike: int = 0
    said: bool = False
    ended: int = 0


class PairedWorlds:
    """Both worlds; the one that is behind in time always goes on. tallies: before and after."""

    def __init__(self, caseload: Caseload, before: Policy, after: Policy) -> None:
        self.worlds = (World(caseload, before), World(caseload, after))
        self.tallies = (Tally(), Tally())
        self.differences = Differences()
        self._pairs: dict[str, Pair] = {}
        self._parted: set[str] = set()

    def run(self) -> Iterator[Decided]:
        """Yield every decision of the first world as it is made; afterwards tallies and differences are complete."""
        while (side := self._behind()) is not None:
            done = self.worlds[side].step()
            if done is None:
                continue
            self.tallies[side].take(done)
            if not done.live.raised and done.live.name not in self._parted:
                self._compare(done, side)
            if side == 0:
                yield done
        for name, pair in sorted(self._pairs.items()):
            self._part(name, pair)
        for tally, world in zip(self.tallies, self.worlds, strict=True):
            tally.beds(world.beds.finish())

    def _behind(self) -> int | None:
        """Return the index of the world that is behind in time; None when both have ended."""
        one, other = (world.next_at for world in self.worlds)
        if one is None:
            return None if other is None else 1
        return 0 if other is None or one <= other else 1

    def _compare(self, done: Decided, side: int) -> None:
        """Match a decision with that of the other world; the first one without a match ends the comparison of the case."""
        name = done.live.name
        pair = self._pairs.setdefault(name, Pair(done.live))
        pair.waiting[side].append(Moment(done.at, done.case, done.events))
        pair.ended += bool(done.live.ended)
        one, other = pair.waiting
        while one and other:
            how, _ = parting(one[0].events, other[0].events)
            if one[0].at != other[0].at or how == ELSEWHERE:
                self._part(name, self._pairs.pop(name))
                return
            pair.said = pair.said or how == SAID
            pair.alike += 1
            pair.last.append(one.popleft())
            other.popleft()
        if pair.ended == 2:
            self.differences.said += pair.said
            del self._pairs[name]

    def _part(self, name: str, pair: Pair) -> None:
        """Record the first decision at which the case goes elsewhere."""
        self._parted.add(name)
        live, (one, other) = pair.live, pair.waiting
        if one or other:
            word, before, after = part(one[0] if one else None, other[0] if other else None)
            lines = story(pair.last, live.at) if self.differences.wants(word) else ()
            self.differences.take(Parted(name, live.pathway, live.place, word, live.at, pair.alike, before, after, lines))
