"""Check a release of figures against the log: each displayed figure, each block, and that no small figure is displayed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from referral.domain.events import FigureReleased, Mark, ReleaseMade
from referral.domain.policy import Policy
from referral.proof.figures import recompute as plain
from referral.proof.figures.recompute import CaseEvent, Child
from referral.wire import codec

HALF, MOST = 2, 10
"""Multiples of the threshold: a displayed p50 needs at least HALF × threshold children, a displayed p90 MOST × threshold."""


class Log(Struct, frozen=True):
    """The facts read from a log. erased: case → time of erasure. sealed: cases whose key the reader does not have."""

    said: Sequence[CaseEvent]
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

    def compare(self, what: str, said: object, ours: object) -> None:
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
    made, figures, close = release.made, release.figures, plain.close_of(release.made.month)
    result = Checked(made.release, made.month, later=sum(at >= close for at in log.erased.values()))
    ordered = sorted(figures, key=name)
    result.compare("digest", made.digest, hashlib.sha256(b"".join(codec.encode(figure) for figure in ordered)).hexdigest())
    marks = Counter(figure.mark for figure in figures)
    counts = (made.figures, made.shown, made.hidden, made.waiting)
    result.compare("figures, shown, hidden, waiting", counts, (len(figures), *(marks[m] for m in (Mark.SHOWN, Mark.HIDDEN, Mark.WAITING))))
    result.compare("figures of this number", sum(figure.release == made.release for figure in figures), len(figures))
    result.compare("figures told twice", len(figures) - len({name(figure) for figure in figures}), 0)
    if logged is not None:
        _as_logged(result, release, logged)
    _blocks(result, release, before, log)
    for (first, last, pathway), group in _by_block(figures).items():
        if pathway:
            cohort = plain.during(log.children, pathway, first, last)
            _figures(result, made, group, plain.tables(cohort, policy, plain.close_of(last)))
        else:
            days, places = plain.full(log.said, frozenset(log.erased), policy, last), plain.places(policy)
            few = {("places", role): count for role, count in places.items()}
            _figures(result, made, group, {("full", role): count for role, count in days.items()} | few)
    return result


def _as_logged(result: Checked, release: Release, logged: Release) -> None:
    """Compare the release with the logged one, field by field. Somebody could show another release, or write a second one to the topic."""
    for part in ReleaseMade.__struct_fields__:
        result.compare(f"{part}, as it was logged", getattr(release.made, part), getattr(logged.made, part))
    said, ours = ({name(one): (one.value, one.mark.value) for one in each.figures} for each in (release, logged))
    for figure in sorted(said.keys() | ours.keys()):
        result.compare(f"{figure}, as it was logged", said.get(figure), ours.get(figure))


def _by_block(figures: Iterable[FigureReleased]) -> Mapping[tuple[str, str, str], list[FigureReleased]]:
    blocks: dict[tuple[str, str, str], list[FigureReleased]] = {}
    for figure in figures:
        blocks.setdefault((figure.first, figure.last, figure.pathway), []).append(figure)
    return blocks


def _blocks(result: Checked, release: Release, before: Sequence[Release], log: Log) -> None:
    """Check that each procedure is released, or waits, for exactly the months after those released before."""
    made = release.made
    if [other.made.release for other in before] != [*range(1, made.release)]:
        result.alone = True
        return
    begins = min((plain.month_of(child.began) for child in log.children), default=made.month)
    published = {(figure.pathway, figure.first, figure.last) for figure in release.figures if figure.pathway}
    earlier = {key for other in before for key in _told(other)}
    if made.corrects is not None:
        result.compare("blocks that were not told before", sorted(published - earlier), [])
        return
    expected = set[tuple[str, str, str]]()
    began = {child.pathway for child in log.children if plain.month_of(child.began) <= made.month}
    for pathway in {figure.pathway for figure in release.figures if figure.pathway} | began:
        last = max((month for other, _, month in earlier if other == pathway), default="")
        expected.add((pathway, plain.next_month(last) if last else begins, made.month))
    result.compare("blocks", sorted(published), sorted(expected))


def _told(release: Release) -> Iterable[tuple[str, str, str]]:
    return ((figure.pathway, figure.first, figure.last) for figure in release.figures if figure.pathway and figure.mark is not Mark.WAITING)


def _figures(result: Checked, made: ReleaseMade, figures: Iterable[FigureReleased], ours: plain.Figures) -> None:
    for figure in figures:
        key, k = (figure.measure, figure.group), made.threshold
        if figure.mark is Mark.WAITING:
            result.waiting += 1
            result.delayed += ours["children", "all"] >= k
            result.compare(f"{name(figure)} waits", figure.value, None)
        elif key not in ours and not figure.measure.startswith("wait."):
            result.compare(f"{name(figure)} is a figure", "told", "unknown")
        elif figure.mark is Mark.HIDDEN:
            result.hidden += 1
            result.compare(f"{name(figure)} is hidden", figure.value, None)
        else:
            result.compare(name(figure), figure.value, ours.get(key))
            result.compare(f"{name(figure)} may be shown", _may_be_shown(figure, ours, k), True)


def _may_be_shown(figure: FigureReleased, ours: plain.Figures, k: int) -> bool:
    """Return True if the figure covers at least k children (or places); half and most need about k on either side."""
    if figure.measure == "full":
        return ours["places", figure.group] >= k
    if figure.measure.startswith("wait."):
        return ours[figure.measure, "count"] >= k * {"half": HALF, "most": MOST}.get(figure.group, 1)
    return ours[figure.measure, figure.group] >= k
