"""Count children into tables (docs/decisions/0018-measures.md). Pure; nothing is hidden here.

The set of tables follows from the public policy alone, so the existence of a table reveals nothing about a child.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from referral.domain.durations import MINUTE_US
from referral.domain.policy import Policy
from services.oversight.counting.model import Course, Spread, Table

ALL = "all"
UNKNOWN = "unknown"
STAGES = ("begun", "acknowledged", "accepted", "arrived", "completed", "ended")
"""From the least to the furthest."""
RUNGS = ("0", "1", "2", "3+")
WAITS = ("acknowledged", "accepted", "bed", "interview", "plan")
MARKS = ("unanswered", "duplicate", "withdrawn")
DECLINED, LATE = "declined.", "late."


class Known(Struct, frozen=True):
    """Public facts: the region of each municipality, and the codes that a table may name."""

    regions: Mapping[str, str]
    sexes: tuple[str, ...]
    age_bands: tuple[str, ...]
    reasons: tuple[str, ...]
    agencies: tuple[str, ...]


def known(policy: Policy) -> Known:
    """Return the public facts of a policy."""
    return Known(
        regions={id: policy.municipalities[id].region for id in sorted(policy.municipalities)},
        sexes=policy.codes["sex"],
        age_bands=policy.codes["age-band"],
        reasons=policy.codes["reason"],
        agencies=tuple(sorted(policy.agencies)),
    )


def tables(courses: Sequence[Course], until: int, known: Known) -> tuple[Table, ...]:
    """Return every table of these children, from the facts before a time, µs UTC."""
    so = [frozenset(fact for fact, at in course.first.items() if at < until) for course in courses]
    facts = Counter(fact for each in so for fact in each)
    named = [(DECLINED + reason, f"declined:{reason}") for reason in known.reasons]
    named += [(LATE + agency, f"late:{agency}") for agency in known.agencies]
    return (
        Table("children", {ALL: len(courses)}),
        _municipality(courses, known),
        _sex_age(courses, known),
        Table("stage", _counted(STAGES, map(_stage, so))),
        Table("rung", _counted(RUNGS, map(_rung, so))),
        *(_two(mark, facts[mark], len(courses)) for mark in MARKS),
        *(_two(name, facts[fact], len(courses)) for name, fact in named),
    )


def spreads(courses: Sequence[Course], until: int) -> tuple[Spread, ...]:
    """Return the waiting times of these children, for waits that ended before a time, µs UTC."""
    return tuple(_spread(what, sorted(_waits(courses, f"wait:{what}", until))) for what in WAITS)


def _municipality(courses: Sequence[Course], known: Known) -> Table:
    atoms = _counted((*known.regions, UNKNOWN), (c.municipality if c.municipality in known.regions else UNKNOWN for c in courses))
    regions = sorted(set(known.regions.values()))
    return Table("municipality", atoms, {f"region:{r}": frozenset(m for m, of in known.regions.items() if of == r) for r in regions})


def _sex_age(courses: Sequence[Course], known: Known) -> Table:
    sexes, bands = (*dict.fromkeys((*known.sexes, UNKNOWN)),), (*dict.fromkeys((*known.age_bands, UNKNOWN)),)
    codes = (f"{_of(course.sex, sexes)}/{_of(course.age_band, bands)}" for course in courses)
    both = set(sexes) & set(bands)  # `unknown` is in both lists, so the group names the list
    by_sex = {f"sex:{sex}" if sex in both else sex: frozenset(f"{sex}/{band}" for band in bands) for sex in sexes}
    by_age = {f"age:{band}" if band in both else band: frozenset(f"{sex}/{band}" for sex in sexes) for band in bands}
    return Table("sex-age", _counted([f"{sex}/{band}" for sex in sexes for band in bands], codes), by_sex | by_age)


def _of(code: str, codes: Collection[str]) -> str:
    return code if code in codes else UNKNOWN


def _stage(so: frozenset[str]) -> str:
    return next((stage for stage in reversed(STAGES) if f"stage:{stage}" in so), STAGES[0])


def _rung(so: frozenset[str]) -> str:
    """Return the highest rung that was used."""
    return RUNGS[min(max((int(fact[5:]) for fact in so if fact.startswith("rung:")), default=0), len(RUNGS) - 1)]


def _two(measure: str, yes: int, children: int) -> Table:
    return Table(measure, {"yes": yes, "no": children - yes})


def _counted(atoms: Sequence[str], values: Iterable[str]) -> dict[str, int]:
    counts = Counter(values)
    return {atom: counts[atom] for atom in atoms}


def _waits(courses: Iterable[Course], fact: str, until: int) -> Iterator[int]:
    """Yield the waits in whole minutes."""
    for course in courses:
        if (at := course.first.get(fact)) is not None and at < until:
            yield (at - course.began_at) // MINUTE_US


def _spread(what: str, waits: Sequence[int]) -> Spread:
    return Spread(f"wait.{what}", len(waits), _rank(waits, 50), _rank(waits, 90))


def _rank(waits: Sequence[int], percent: int) -> int:
    """Return the nearest-rank percentile, to two significant digits, half up; 0 for no waits."""
    if not waits:
        return 0
    exact = waits[-(-percent * len(waits) // 100) - 1]
    unit = int(10 ** max(len(str(exact)) - 2, 0))
    return (exact + unit // 2) // unit * unit
