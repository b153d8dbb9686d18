"""Releases of figures that are plainly made up, for pages and commands: the numbers mean nothing, and hide only what is below 11."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import msgpack, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import Counted, FigureReleased, Mark, ReleaseMade, Unit
from referral.domain.policy import Policy
from referral.wire import codec
from services.oversight import release
from services.oversight.release import Release

K = 11
PUBLISHED = 1_800_000_000_000_000
"""15 January 2027."""
INSERT = text(
    "INSERT INTO oversight.release (number, month, made, figures, published_at) VALUES (:number, :month, :made, :figures, :published_at)"
)


class Block:
    """The figures of some months of a procedure, written down table by table."""

    def __init__(self, number: int, pathway: str, first: str, last: str, children: int) -> None:
        self.place: dict[str, Any] = {"release": number, "pathway": pathway, "first": first, "last": last}
        self.children = children
        self.figures = [self._figure("children", "all", children)]

    def _figure(self, measure: str, group: str, value: int | None, unit: Unit = Unit.CHILDREN) -> FigureReleased:
        mark = Mark.HIDDEN if value is None else Mark.SHOWN
        return FigureReleased(**self.place, measure=measure, group=group, unit=unit, value=value, mark=mark)

    def table(self, measure: str, atoms: Mapping[str, int], groups: Mapping[str, Sequence[str]] | None = None) -> Block:
        """Counts, each hidden below K."""
        sums = {name: sum(atoms[atom] for atom in inside) for name, inside in (groups or {}).items()}
        told = {**atoms, **sums}
        self.figures += [self._figure(measure, group, count if count >= K else None) for group, count in told.items()]
        self.figures.append(self._figure(measure, "all", self.children))
        return self

    def two(self, measure: str, yes: int) -> Block:
        """So many children, and the others."""
        shown = K <= yes <= self.children - K
        self.figures += [self._figure(measure, name, n if shown else None) for name, n in (("yes", yes), ("no", self.children - yes))]
        return self

    def wait(self, what: str, half: int | None, most: int | None) -> Block:
        self.figures += [self._figure(f"wait.{what}", g, value, Unit.MINUTES) for g, value in (("half", half), ("most", most))]
        return self


def block(policy: Policy, number: int, pathway: str, first: str, last: str, children: int) -> Block:
    """Every table of a block, all of it by division."""
    made = Block(number, pathway, first, last, children)
    places = dict.fromkeys((*policy.municipalities, "unknown"), 0)
    for place, parts in (("prishtine", 4), ("prizren", 2), ("ferizaj", 1), ("peje", 1)):
        places[place] = children * parts // 8
    places["gjilan"] = children - sum(places.values())
    regions = sorted({place.region for place in policy.municipalities.values()})
    inside = {f"region:{region}": [id for id, place in policy.municipalities.items() if place.region == region] for region in regions}
    made.table("municipality", places, inside)
    girls = children * 5 // 9
    ages = {"female/12-14": girls // 2, "female/15-17": girls - girls // 2, "male/12-14": (children - girls) // 3}
    ages["male/15-17"] = children - girls - ages["male/12-14"]
    crossed = {f"{sex}/{age}": ages.get(f"{sex}/{age}", 0) for sex in policy.codes["sex"] for age in policy.codes["age-band"]}
    names = {"unknown": ("sex:unknown", "age:unknown")}
    margins = {names.get(s, (s, ""))[0]: [atom for atom in crossed if atom.startswith(f"{s}/")] for s in policy.codes["sex"]}
    margins |= {names.get(a, ("", a))[1]: [atom for atom in crossed if atom.endswith(f"/{a}")] for a in policy.codes["age-band"]}
    made.table("sex-age", crossed, margins)
    some = children // 4
    made.table(
        "stage", {"begun": 0, "acknowledged": 2, "accepted": some, "arrived": some, "completed": children - 2 * some - 6, "ended": 4}
    )
    made.table("rung", {"0": children - some - 3, "1": some, "2": 3, "3+": 0})
    for number_, reason in enumerate(policy.codes["reason"]):
        made.two(f"declined.{reason}", children // 3 if reason == "NO_CAPACITY" else number_ % 4)
    for agency in policy.agencies:
        made.two(f"late.{agency}", children // 2 if agency == "csw-prizren" else children // 3 if agency == "police-prishtine" else 0)
    made.two("unanswered", children // 3).two("duplicate", 1).two("withdrawn", 0)
    made.wait("acknowledged", 12, 95).wait("accepted", 47, 310 if children > 40 else None).wait("bed", 190 if children > 25 else None, None)
    return made.wait("interview", 1600, None).wait("plan", 29_000, None)


def waiting(number: int, pathway: str, first: str, last: str) -> FigureReleased:
    place: dict[str, Any] = {"release": number, "pathway": pathway, "first": first, "last": last}
    return FigureReleased(**place, measure="children", group="all", unit=Unit.CHILDREN, mark=Mark.WAITING)


def full(number: int, month: str, days: Mapping[str, int | None]) -> list[FigureReleased]:
    place: dict[str, Any] = {"release": number, "pathway": "", "first": month, "last": month, "measure": "full", "unit": Unit.DAYS}
    return [
        FigureReleased(**place, group=role, value=value, mark=Mark.HIDDEN if value is None else Mark.SHOWN) for role, value in days.items()
    ]


def made(number: int, month: str, figures: Iterable[FigureReleased], corrects: int | None = None) -> Release:
    """With the report that belongs to them."""
    told = tuple(sorted(figures, key=release.key))
    marks = [figure.mark for figure in told]
    said = ReleaseMade(
        release=number,
        month=month,
        corrects=corrects,
        threshold=K,
        figures=len(told),
        digest=release.digest(told),
        shown=marks.count(Mark.SHOWN),
        hidden=marks.count(Mark.HIDDEN),
        waiting=marks.count(Mark.WAITING),
        narrowest=12 if Mark.HIDDEN in marks else None,
        counted=(Counted(what="drill", count=None), Counted(what="erased", count=0), Counted(what="repeat", count=230)),
    )
    return Release(said, told)


def year(policy: Policy) -> list[Release]:
    """Twelve months and one correction."""
    found = []
    for month in range(1, 13):
        name, figures = f"2027-{month:02}", full(month, f"2027-{month:02}", {"children-shelter": month % 5 * 4, "adult-shelter": None})
        if month % 2 == 0:
            figures += block(policy, month, "child-labour", f"2027-{month - 1:02}", name, 30 + month * 3).figures
        if month % 3 == 0:
            figures += block(policy, month, "without-parental-care", f"2027-{month - 2:02}", name, 22 + month).figures
        if month in (5, 11):
            figures += block(policy, month, "trafficking-child", f"2027-{max(month - 5, 1):02}", name, 9 + month // 2).figures
        figures += block(policy, month, "juvenile-justice", name, name, 14 + month * 7 % 12).figures
        figures.append(waiting(month, "rights-violation", "2027-01", name))
        if month == 12:
            figures.append(waiting(month, "trafficking-child", name, name))
        found.append(made(month, name, figures))
    return [*found, made(13, "2027-12", block(policy, 13, "child-labour", "2027-11", "2027-12", 84).figures, corrects=12)]


def row(one: Release) -> dict[str, Any]:
    """As oversight stores it."""
    figures = msgpack.encode([codec.encode(figure) for figure in one.figures])
    return {"number": one.made.release, "month": one.made.month, "made": codec.encode(one.made), "figures": figures}


async def store(tx: AsyncConnection, releases: Iterable[Release], published_at: int | None = PUBLISHED) -> None:
    """Out, or with None not yet."""
    for one in releases:
        await tx.execute(INSERT, row(one) | {"published_at": published_at})


def renumbered(one: Release, number: int) -> Release:
    """The same figures under another number."""
    return made(number, one.made.month, [structs.replace(figure, release=number) for figure in one.figures])
