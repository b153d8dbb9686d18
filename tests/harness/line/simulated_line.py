"""A simulated case lived through on the real line: the same people do the same at the doors, at the same time of the drill clock."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, structs

from referral.analysis.simulation.world import Decided
from referral.cli.stack.stage import Stage
from referral.domain.case import next_due
from referral.domain.describe import describe
from referral.domain.events import RungReached
from referral.domain.inputs import Due
from referral.domain.policy import Policy
from tests.harness.line.told_line import ToldLine
from tests.stories.teller import World

NAMES = ("offer_id", "task_id", "track_id")


class SimulatedLine(ToldLine):
    """One case. ids: what the simulation calls its offers, tasks and tracks, and what the line calls them."""

    def __init__(self, policy: Policy, stage: Stage, name: str) -> None:
        World.__init__(self, policy)
        self.stage, self.name, self.case_id, self.other = stage, name, "", ""
        self.ids: dict[str, str] = {}
        self.people = {}
        self.tells_at: dict[str, int] = {}

    def live(self, done: Decided) -> tuple[list[str], list[str]]:
        """Do what the simulation did; what both then said, told. That a message has arrived the line's own notifier says, at its time."""
        if isinstance(done.body, RungReached):
            return [], []
        if isinstance(done.body, Due):
            due = next_due(self.case) if self.case else None
            assert due is not None, f"{self.name}: the line has no alarm where the simulation has one"
            said = self.put(Due(at=due))
        else:
            self.time_comes(done.at)
            said = self.put(self.translated(done.body))
        assert self.case is not None
        for simulated, real in zip(done.events, said, strict=False):
            for name in NAMES:
                if getattr(simulated, name, None) and type(simulated) is type(real):
                    self.ids[getattr(simulated, name)] = getattr(real, name)
        return (
            [describe(done.case, event, done.at) for event in done.events],
            [describe(self.case, event, self.now).replace(" (drill)", "") for event in said],
        )

    def translated(self, body: Any) -> Struct:
        """The same input in the line's own ids."""
        known = {name: self.ids[getattr(body, name)] for name in NAMES if getattr(body, name, None) in self.ids}
        return structs.replace(body, **known)  # type: ignore[no-any-return]
