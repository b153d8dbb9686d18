"""Make the release of a month, or a correction, from the children and the earlier releases. Pure.

Months of a procedure gather in a block until they hold enough children (`blocks`); then they are released together, once, and the next
block begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from referral.domain.events import Counted, FigureReleased, Mark, ReleaseMade, Unit
from services.oversight.calendar import FOLLOW_UP, after, closes
from services.oversight.counting.model import Course, Full
from services.oversight.disclosure.attack import attack
from services.oversight.disclosure.blocks import Block, Measures, figures_of, waiting
from services.oversight.disclosure.suppress import ALL, K, full
from services.oversight.release import Release, digest, key

__all__ = ["FOLLOW_UP", "K", "Measures", "closes", "correct", "kept", "make"]
CHILDREN = ("erased", "kept", "key-gone")
"""Counts about children: always listed, and zero is hidden like any other count below k."""
PUBLIC = ("municipality-gone",)
"""Counts that follow from the public policies."""


def make(
    month: str, courses: Sequence[Course], fulls: Sequence[Full], before: Sequence[Release], counted: Mapping[str, int], measures: Measures
) -> Release:
    """Return the release of a month.

    courses: all children until its end; later ones do no harm. before: all releases, in order. counted: since the beginning.

    ValueError: the month is not the one after the last release.
    """
    regular = [release.made.month for release in before if release.made.corrects is None]
    if regular and month != after(regular[-1]):
        raise ValueError(f"{month} does not follow {regular[-1]}")
    number, begin = len(before) + 1, regular[0] if regular else month
    figures: list[FigureReleased] = []
    for pathway in sorted(measures.pathways):
        last = max((block.last for release in before for block in _blocks(release, 0) if block.pathway == pathway), default="")
        block = Block(number, after(last) if last else begin, month, pathway)
        block_figures = figures_of(block, courses, measures)
        figures += block_figures if block_figures and _safe(before, block_figures, measures) else [waiting(block)]
    country = Block(number, month, month, "")
    figures += [country.figure("full", kind.group, Unit.DAYS, full(kind, measures.k)) for kind in fulls]
    return _release(month, None, figures, before, counted, measures)


def correct(
    of: int, courses: Sequence[Course], before: Sequence[Release], counted: Mapping[str, int], measures: Measures
) -> Release | None:
    """Return the correction of a release: every block of it that counts differently now and may be corrected; None: there is no such block.

    A block may be corrected if every released figure has changed by none or by k or more, waiting times only with as many children, the
    same
    figures are hidden, and the change of no hidden figure can be bounded more closely than k values, unless it is none.
    """
    corrected = [now for was, now in _differing(before[of - 1], courses, before, measures) if now and _may(was, now, before, measures)]
    figures = [figure for now in corrected for figure in now]
    if not figures or not _safe(before, figures, measures):
        return None
    return _release(before[of - 1].made.month, of, figures, before, counted, measures)


def kept(courses: Sequence[Course], before: Sequence[Release], measures: Measures) -> int:
    """Count the released blocks that count differently now and are left uncorrected."""
    return sum(
        now is None or not _may(was, now, before, measures)
        for release in before
        if release.made.corrects is None
        for was, now in _differing(release, courses, before, measures)
    )


def _blocks(release: Release, number: int) -> list[Block]:
    """Return the blocks of a release, with the number of another release."""
    return [
        Block(number, figure.first, figure.last, figure.pathway)
        for figure in release.figures
        if figure.pathway and (figure.measure, figure.group, figure.mark) == ("children", ALL, Mark.SHOWN)
    ]


Figures = tuple[FigureReleased, ...]


def _differing(
    release: Release, courses: Sequence[Course], before: Sequence[Release], measures: Measures
) -> list[tuple[Figures, Figures | None]]:
    """Return the valid and the present figures of each of its blocks, only where these differ."""
    differing: list[tuple[Figures, Figures | None]] = []
    for block in _blocks(release, len(before) + 1):
        valid = next(figures for other in reversed(before) if (figures := _of(other, block)))
        now = figures_of(block, courses, measures)
        if now is None or _values(valid) != _values(now):
            differing.append((valid, now))
    return differing


def _of(release: Release, block: Block) -> Figures:
    return tuple(
        figure
        for figure in release.figures
        if (figure.first, figure.last, figure.pathway) == (block.first, block.last, block.pathway) and figure.mark is not Mark.WAITING
    )


def _values(figures: Sequence[FigureReleased]) -> dict[str, int | None]:
    return {key(figure): figure.value for figure in figures}


def _may(was: Figures, now: Figures, before: Sequence[Release], measures: Measures) -> bool:
    """Return whether the change of a block concerns no fewer than k children."""
    k, old, new = measures.k, {key(figure): figure for figure in was}, {key(figure): figure for figure in now}
    if {name: figure.mark for name, figure in old.items()} != {name: figure.mark for name, figure in new.items()}:
        return False
    changed = {name: abs((new[name].value or 0) - (old[name].value or 0)) for name in old}
    whole = max(change for name, change in changed.items() if new[name].measure == "children")
    return all(
        change == 0 or (change >= k if new[name].unit is Unit.CHILDREN else whole >= k) for name, change in changed.items()
    ) and _safe(before, now, measures)


def _safe(before: Sequence[Release], figures: Sequence[FigureReleased], measures: Measures) -> bool:
    """Return whether these figures, added to all earlier releases, leave k values for every hidden figure that had them before."""
    earlier = [figure for release in before for figure in release.figures]
    return _narrow([*earlier, *figures], measures) <= _narrow(earlier, measures)


def _narrow(figures: Sequence[FigureReleased], measures: Measures) -> set[str]:
    return {bound.key for bound in attack(figures, measures.sums, measures.k).bounds if bound.values < measures.k}


def _release(
    month: str,
    corrects: int | None,
    figures: Sequence[FigureReleased],
    before: Sequence[Release],
    counted: Mapping[str, int],
    measures: Measures,
) -> Release:
    ordered = tuple(sorted(figures, key=key))
    marks = [figure.mark for figure in ordered]
    met = dict.fromkeys(CHILDREN, 0) | dict(counted)
    result = attack([*(figure for release in before for figure in release.figures), *ordered], measures.sums, measures.k)
    made = ReleaseMade(
        release=len(before) + 1,
        month=month,
        corrects=corrects,
        threshold=measures.k,
        figures=len(ordered),
        digest=digest(ordered),
        shown=marks.count(Mark.SHOWN),
        hidden=marks.count(Mark.HIDDEN),
        waiting=marks.count(Mark.WAITING),
        narrowest=result.narrowest,
        counted=tuple(Counted(what=what, count=_rounded(what, count, measures.k)) for what, count in sorted(met.items())),
    )
    return Release(made, ordered)


def _rounded(what: str, count: int, k: int) -> int | None:
    """Return a count rounded down to a multiple of k, so that two releases do not reveal one more; None: hidden."""
    if what in PUBLIC:
        return count
    if count < k and (count or what in CHILDREN):
        return None
    return count // k * k
