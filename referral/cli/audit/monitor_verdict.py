"""Decide the verdict of the monitor from the views that it collected. Apart from `monitor` because it does no I/O."""

from __future__ import annotations

from msgspec import Struct, field

from referral.tlog.split_view import Split, View

PATIENCE_S = 300
"""Limit for a log to prove that one head continues another (ours: an upgrade or a restart takes less); then it counts as a split view."""


class Unconnected(Struct, frozen=True):
    """Two heads for which the log has not shown that the newer continues the older. why: the error."""

    older: View
    newer: View
    why: str

    def __str__(self) -> str:
        newer, older = f"{self.newer.said.size} entries ({self.newer.who})", f"{self.older.said.size} ({self.older.who})"
        return f"the log has not shown that {newer} continue {older}: {self.why}"


class MonitorRound(Struct):
    """The views of one round.

    away: party → the reason that it could not be queried. wrong: party → the fault in the signatures that it shows.
    unled: pairs of heads that the log has not connected. still: why the log may have stopped. lent: witnesses without a view of their own,
    represented by their signature under the log's checkpoint. notes: (party, bytes exactly as received).
    """

    views: list[View] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    away: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    unled: list[Unconnected] = field(default_factory=list)
    still: str = ""
    lent: set[str] = field(default_factory=set)
    notes: list[tuple[str, bytes]] = field(default_factory=list)


def verdict(looked: MonitorRound, silent: float, patience: float) -> tuple[int, str]:
    """Return the exit code and one line. silent: seconds for which the log has not connected its heads. patience: the limit for that."""
    unled = "; ".join(map(str, looked.unled))
    if looked.splits:
        two = looked.splits[0]
        return 1, f"BAD: a split view: {two.first.who} and {two.second.who}: {two.why}"
    if looked.wrong:
        who, why = next(iter(looked.wrong.items()))
        return 1, f"BAD: {who}: {why}"
    if unled and silent >= patience:
        return 1, f"BAD: for {int(silent)} seconds {unled}. Until it does, take it for a split view"
    if looked.still:
        return 1, f"BAD: the log stands still: {looked.still}"
    if unled:
        return 3, f"NOT FULLY CHECKED: {unled}. Nothing says that they are heads of one log"
    if looked.away:
        return 3, f"NOT FULLY CHECKED: {_compared(looked)}. Not asked: {', '.join(looked.away)}"
    if looked.lent:
        names = ", ".join(sorted(looked.lent))
        other = f"What {names} has seen was taken from the log: another history shown to it alone is not seen here"
        return 0, f"GOOD: everybody who shows a view sees one log. {other}"
    return 0, "GOOD: everybody sees one log"


def _compared(looked: MonitorRound) -> str:
    """Describe the views of those who answered."""
    names = [view.who for view in looked.views]
    if len(names) < 2:
        return f"{names[0]} alone showed a view, so it was compared with nobody" if names else "nobody showed a view"
    heads = sorted({view.said.size for view in looked.views})
    led = f"one head of {heads[0]} entries" if len(heads) == 1 else f"heads of {heads[0]} to {heads[-1]} entries, each led to the next"
    return f"{', '.join(names)} show {led}"
