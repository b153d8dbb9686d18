"""When a process that died is started again."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_S = 0.5
LONGEST_S = 30.0
"""A process that dies at once, for ever, costs one start every half minute."""
CALM_S = 10.0
"""Ready for as long as a lease lives: the next death begins a new series."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """deaths: in a row, each before the process had been ready for CALM_S."""

    deaths: int = 0

    def died(self, ready_s: float) -> Backoff:
        """After a death; ready_s: how long the process had been ready."""
        return Backoff(1) if ready_s >= CALM_S else replace(self, deaths=self.deaths + 1)

    @property
    def wait_s(self) -> float:
        """Seconds before the next start: 0.5, 1, 2, 4 … 30."""
        return 0.0 if self.deaths == 0 else float(min(LONGEST_S, FIRST_S * 2 ** min(self.deaths - 1, 10)))
