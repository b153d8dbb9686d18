"""A stranger who polls the log's checkpoint, or a witness's, each second of a made-up year: what the sizes and their times tell.

python -m tests.attacks.observer prints two figures for a log that is signed at each batch, and for ours, which is signed on a beat.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from referral.domain.durations import SECOND_US
from referral.proof.heartbeat import EVERY_S
from referral.runtime.settings import MOST_BEAT_S
from services.audit import beat

HOUR, DAY, YEAR = 3600, 24 * 3600, 365 * 24 * 3600
"""Seconds."""
CHILDREN = 900
"""Referrals of the year (ours): some two or three a day, so that half of the days have the same number by chance at most."""
FIRST = (11, 11, 9, 6)
"""Entries that follow a referral within a second, by its procedure, as an auditor counted them on a running line."""
LATER = (2, 3, 5)
"""Entries of an answer, of a deadline, of a step that begins."""
Shown = tuple[int, int]
"""A second of the year, and the size that is shown from then on."""


class Year(Struct, frozen=True):
    """referrals: their seconds. appended: second → entries, heartbeats included."""

    referrals: tuple[int, ...]
    appended: dict[int, int]


def year(seed: int = 15) -> Year:
    """Return a made-up year: referrals come by day more often than at night, and each is followed by a few acts within a day."""
    chance, appended = random.Random(seed), Counter(dict.fromkeys(range(0, YEAR, EVERY_S), 1))
    hours = [8 if 8 <= hour < 18 else 1 for hour in range(24)]
    referrals = []
    for _ in range(CHILDREN):
        at = chance.randrange(365) * DAY + chance.choices(range(24), hours)[0] * HOUR + chance.randrange(HOUR)
        referrals.append(at)
        appended[at] += chance.choice(FIRST)
        for _ in range(chance.randrange(2, 8)):
            appended[min(YEAR - 1, at + 60 + int(chance.expovariate(1 / (4 * HOUR))))] += chance.choice(LATER)
    return Year(tuple(sorted(referrals)), dict(sorted(appended.items())))


def at_once(appended: dict[int, int]) -> list[Shown]:
    """Return what a log shows that is signed as soon as anything is committed, as ours was."""
    size, shown = 0, []
    for second, count in appended.items():
        size += count
        shown.append((second, size))
    return shown


def on_the_beat(appended: dict[int, int], beat_s: int = MOST_BEAT_S) -> list[Shown]:
    """Return what our log shows: audit's own rules of when and how far, asked each second in which they could say yes."""
    size, signed, at, shown = 0, 0, 0, []
    seconds = [*appended]
    done = 0
    for second in range(beat_s, YEAR, beat_s):
        until = bisect_right(seconds, second)
        size += sum(appended[s] for s in seconds[done:until])
        done = until
        assert beat.due(size, signed, at, second * SECOND_US, beat_s)
        size += beat.cover(size, signed)
        signed, at = size, second * SECOND_US
        shown.append((second, size))
    return shown


Feature = Callable[[Sequence[Shown]], float]


def jumps(least: int) -> Feature:
    """Return how often the size jumped by so many at once."""

    def of(shown: Sequence[Shown]) -> float:
        return sum(later[1] - earlier[1] >= least for earlier, later in itertools.pairwise(shown))

    return of


FEATURES: dict[str, Feature] = {
    "growth": lambda shown: shown[-1][1] - shown[0][1],
    "changes": len,
    "seconds past the minute": lambda shown: sum(second % EVERY_S != 0 for second, _ in shown[1:]),
    "shortest pause": lambda shown: -min((b[0] - a[0] for a, b in itertools.pairwise(shown)), default=0),
    "longest pause": lambda shown: max((b[0] - a[0] for a, b in itertools.pairwise(shown)), default=0),
    **{f"jumps of {n}": jumps(n) for n in (2, 4, 6, 9, 11, 50, beat.BLOCK, beat.BLOCK + 1)},
}
"""Clues in a span of time; the observer takes the one that told most in the half year that is known to them."""


def spans(shown: Sequence[Shown], length: int) -> list[Sequence[Shown]]:
    """Return what was shown in each span of so many seconds, each beginning with what was shown before it."""
    seconds, found = [second for second, _ in shown], []
    for start in range(0, YEAR, length):
        first, last = bisect_right(seconds, start - 1), bisect_right(seconds, start + length - 1)
        found.append([shown[first - 1] if first else (start, 0), *shown[first:last]])
    return found


class Told(Struct, frozen=True):
    """hours: share of the hours with and of those without a referral that are told right, averaged; by chance one half.

    days: share of the days whose number of children is told exactly. guess: the same by somebody who never looks.
    by: what told the hours.
    """

    hours: float
    days: float
    guess: float
    by: str


def tell(of: Year, shown: Sequence[Shown]) -> Told:
    """Learn on the first half of the year, of which the observer knows the truth, and judge on the second."""
    best, by = 0.0, ""
    judged = 0.0
    truth = [bool(n) for n in counted(of.referrals, HOUR)]
    seen = spans(shown, HOUR)
    half = len(truth) // 2
    for name, feature in FEATURES.items():
        values = [feature(span) for span in seen]
        for limit in sorted(set(values[:half]))[:200]:
            said = [value > limit for value in values]
            if (learned := balanced(said[:half], truth[:half])) > best:
                best, by, judged = learned, f"{name} > {limit:.0f}", balanced(said[half:], truth[half:])
    return Told(judged, *days(of, shown), by)


def days(of: Year, shown: Sequence[Shown]) -> tuple[float, float]:
    """Return the share of days of the second half whose number is told by the best table of the first half, and by its commonest number."""
    truth, seen, found = counted(of.referrals, DAY), spans(shown, DAY), []
    half = len(truth) // 2
    usual = Counter(truth[:half]).most_common(1)[0][0]
    for feature in FEATURES.values():
        values = [feature(span) for span in seen]
        table: dict[float, Counter[int]] = {}
        for value, number in zip(values[:half], truth[:half], strict=True):
            table.setdefault(value, Counter())[number] += 1
        said = [table[value].most_common(1)[0][0] if value in table else usual for value in values]
        found.append((right(said[:half], truth[:half]), right(said[half:], truth[half:])))
    known = [pair for pair in found if pair[0] < 1] or found  # a table with a row for each day has learned nothing
    return max(known)[1], right([usual] * (len(truth) - half), truth[half:])


def counted(seconds: Iterable[int], length: int) -> list[int]:
    """Return the number of referrals in each span of the year."""
    count = Counter(second // length for second in seconds)
    return [count[n] for n in range(YEAR // length)]


def balanced(said: Sequence[bool], truth: Sequence[bool]) -> float:
    """Return the mean of the shares of both kinds that are told right."""
    shares = [right([s for s, t in zip(said, truth, strict=True) if t is kind], [kind] * truth.count(kind)) for kind in (True, False)]
    return sum(shares) / 2


def right(said: Sequence[object], truth: Sequence[object]) -> float:
    return sum(s == t for s, t in zip(said, truth, strict=True)) / len(truth)


def main() -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("the log is signed", "hours told (chance 50 %)", "by", "days counted", "by who never looks"):
        table.add_column(name)
    made = year()
    for what, shown in (
        ("at each batch", at_once(made.appended)),
        (f"each {MOST_BEAT_S} s, in blocks of {beat.BLOCK}", on_the_beat(made.appended)),
    ):
        told = tell(made, shown)
        table.add_row(what, f"{told.hours:.1%}", told.by, f"{told.days:.1%}", f"{told.guess:.1%}")
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
