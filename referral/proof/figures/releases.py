"""Check a release of figures against the log: each displayed figure, each block, and that no small figure is displayed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from referral.domain.events import FigureReleased, Mark, ReleaseMade
from referral.domain.policy import Policy
from referral.proof.figures import recompute as plain
from referral.proof.figures.recompute import Child, Said
from referral.wire import codec

HALF, MOST = 2, 10
"""Multiples of the threshold: a displayed p50 needs at least HALF × threshold children, a displayed p90 MOST × threshold."""


class Log(Struct, frozen=True):
    """The facts read from a log. erased: case → time of erasure. sealed: cases whose key the reader does not have."""

    said: Sequence[Said]
    children: Sequence[Child]
    erased: Mapping[str, int]
    sealed: frozenset[str]

    def __repr__(self) -> str:
        return f"Log({len(self.said)} events)"


class Release(Struct, frozen=True):
    """A release as it was published."""

    made: ReleaseMade
    figures: tuple[FigureReleased, ...]


class Differs(Struct, frozen=True):
    """One figure, block or count that differs. said: value in the release. ours: value from the log."""

    what: str
    said: str
    ours: str


class Checked(Struct):
    """The result for one release.

    same: comparisons that agree. hidden: figures without a value. waiting: blocks that still collect children.
    later: cases erased at a time when the release may have been made already. alone: earlier releases are missing, so its months are not
    compared.
    delayed: procedures that wait although they have enough children (because their figures would disclose too much).
    """

    release: int
    month: str
    same: int = 0
    hidden: int = 0
    waiting: int = 0
    later: int = 0
    alone: bool = False
    delayed: int = 0
    differs: list[Differs] = field(default_factory=list)

    def say(self, what: str, said: object, ours: object) -> None:
        if said == ours:
            self.same += 1
        else:
            self.differs.append(Differs(what, str(said), str(ours)))


def name(figure: FigureReleased) -> str:
    """Return the identity of a figure: period, procedure, measure and group."""
    return "/".join((figure.first, figure.last, figure.pathway, figure.measure, figure.group))


def check(release: Release, before: Sequence[Release], log: Log, policy: Policy, logged: Release | None = None) -> Checked:
    """Compare one release with the log.

    before: the releases with smaller numbers. policy: the one in force when the release's month closed.
    logged: the same release as the log holds it; None where the log does not hold it, or not yet.
    """
    made, told, close = release.made, release.figures, plain.close_of(release.made.month)
    found = Checked(made.release, made.month, later=sum(at >= close for at in log.erased.values()))
    ordered = sorted(told, key=name)
    found.say("digest", made.digest, hashlib.sha256(b"".join(codec.encode(one) for one in ordered)).hexdigest())
    marks = Counter(one.mark for one in told)
    counts = (made.figures, made.shown, made.hidden, made.waiting)
    found.say("figures, shown, hidden, waiting", counts, (len(told), *(marks[m] for m in (Mark.SHOWN, Mark.HIDDEN, Mark.WAITING))))
    found.say("figures of this number", sum(one.release == made.release for one in told), len(told))
    found.say("figures told twice", len(told) - len({name(one) for one in told}), 0)
    if logged is not None:
        _as_logged(found, release, logged)
    _blocks(found, release, before, log)
    for (first, last, pathway), group in _by_block(told).items():
        if pathway:
            there = plain.during(log.children, pathway, first, last)
            _figures(found, made, group, plain.tables(there, policy, plain.close_of(last)))
        else:
            days, places = plain.full(log.said, frozenset(log.erased), policy, last), plain.places(policy)
            few = {("places", role): count for role, count in places.items()}
            _figures(found, made, group, {("full", role): count for role, count in days.items()} | few)
    return found


def _as_logged(found: Checked, release: Release, logged: Release) -> None:
    """Compare the release with the logged one, field by field. Somebody could show another release, or write a second one to the topic."""
    for part in ReleaseMade.__struct_fields__:
        found.say(f"{part}, as it was logged", getattr(release.made, part), getattr(logged.made, part))
    said, ours = ({name(one): (one.value, one.mark.value) for one in each.figures} for each in (release, logged))
    for figure in sorted(said.keys() | ours.keys()):
        found.say(f"{figure}, as it was logged", said.get(figure), ours.get(figure))


def _by_block(told: Iterable[FigureReleased]) -> Mapping[tuple[str, str, str], list[FigureReleased]]:
    found: dict[tuple[str, str, str], list[FigureReleased]] = {}
    for one in told:
        found.setdefault((one.first, one.last, one.pathway), []).append(one)
    return found


def _blocks(found: Checked, release: Release, before: Sequence[Release], log: Log) -> None:
    """Check that each procedure is released, or waits, for exactly the months after those released before."""
    made = release.made
    if [other.made.release for other in before] != [*range(1, made.release)]:
        found.alone = True
        return
    begins = min((plain.month_of(child.began) for child in log.children), default=made.month)
    told = {(one.pathway, one.first, one.last) for one in release.figures if one.pathway}
    known = {key for other in before for key in _told(other)}
    if made.corrects is not None:
        found.say("blocks that were not told before", sorted(told - known), [])
        return
    ours = set[tuple[str, str, str]]()
    began = {child.pathway for child in log.children if plain.month_of(child.began) <= made.month}
    for pathway in {one.pathway for one in release.figures if one.pathway} | began:
        last = max((month for other, _, month in known if other == pathway), default="")
        ours.add((pathway, plain.next_month(last) if last else begins, made.month))
    found.say("blocks", sorted(told), sorted(ours))


def _told(release: Release) -> Iterable[tuple[str, str, str]]:
    return ((one.pathway, one.first, one.last) for one in release.figures if one.pathway and one.mark is not Mark.WAITING)


def _figures(found: Checked, made: ReleaseMade, told: Iterable[FigureReleased], ours: plain.Figures) -> None:
    for one in told:
        key, k = (one.measure, one.group), made.threshold
        if one.mark is Mark.WAITING:
            found.waiting += 1
            found.delayed += ours["children", "all"] >= k
            found.say(f"{name(one)} waits", one.value, None)
        elif key not in ours and not one.measure.startswith("wait."):
            found.say(f"{name(one)} is a figure", "told", "unknown")
        elif one.mark is Mark.HIDDEN:
            found.hidden += 1
            found.say(f"{name(one)} is hidden", one.value, None)
        else:
            found.say(name(one), one.value, ours.get(key))
            found.say(f"{name(one)} may be shown", _may_be_shown(one, ours, k), True)


def _may_be_shown(one: FigureReleased, ours: plain.Figures, k: int) -> bool:
    """Return True if the figure covers at least k children (or places); half and most need about k on either side."""
    if one.measure == "full":
        return ours["places", one.group] >= k
    if one.measure.startswith("wait."):
        return ours[one.measure, "count"] >= k * {"half": HALF, "most": MOST}.get(one.group, 1)
    return ours[one.measure, one.group] >= k
