"""Arrange the figures as rows and matrices for a page, with their names. Pure; no order and no length depends on a hidden value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from referral.domain.events import FigureReleased, Mark
from services.oversight.pages.naming import Naming
from services.oversight.pages.view import Block

STAGES = ("begun", "acknowledged", "accepted", "arrived", "completed", "ended")
RUNGS = ("0", "1", "2", "3+")
WAITS = ("acknowledged", "accepted", "bed", "interview", "plan")
SINGLE = ("unanswered", "duplicate", "withdrawn")
"""Measures of yes and no without parts."""
MEASURES: Mapping[str, tuple[str, ...]] = {"told": SINGLE, "where": ("municipality",), "people": ("sex-age",), "people.cross": ("sex-age",)}
"""Table → measures in it, where that is not the measure of its name."""
COUNTRY = ("time", "waiting", "stage", "where", "wait", "full", "late", "declined", "rung", "told")
DEADLINES = ("late", "told", "declined", "wait", "full", "rung", "stage", "time", "waiting", "where")
"""The same sections, in the order of interest of the Committee and of the Adviser."""
Pick = tuple[str, str]
"""A measure and its group."""


class Row(Struct, frozen=True):
    """A displayed row.

    figures: None where the release has none. below: a second one under each. most: value of a full bar; 0: no bar.
    block: whose row it is, in a table of several.
    """

    name: str
    figures: Sequence[FigureReleased | None]
    most: int = 0
    block: Block | None = None
    below: Sequence[FigureReleased | None] = ()

    @property
    def is_shown(self) -> bool:
        """Return whether a figure of the row is shown."""
        return any(map(shown, self.figures))


class Table(Struct, frozen=True):
    """A displayed table. rest: names of rows that are hidden. columns: their names; none where a row is one bar."""

    id: str
    rows: Sequence[Row]
    rest: Sequence[str] = ()
    columns: Sequence[str] = ()

    @property
    def measures(self) -> Sequence[str]:
        """Return the measures in it; the definition of each is one click away."""
        return MEASURES.get(self.id, (self.id,))

    @property
    def few(self) -> str:
        """Return the key of the text for what is hidden."""
        return {"wait": "hidden.few", "full": "hidden.places"}.get(self.id, "hidden")

    @property
    def open(self) -> bool:
        """Return whether it is a long list, whose hidden rows are not all named."""
        return self.id in ("late", "declined")


def shown(figure: FigureReleased | None) -> bool:
    """Return whether a figure has a value for everybody."""
    return figure is not None and figure.mark is Mark.SHOWN and figure.value is not None


def of_all(newest: Iterable[Block], full: Mapping[str, Mapping[str, FigureReleased]], naming: Naming) -> dict[str, Table]:
    """Return the newest blocks, section by section: one row for each procedure, or one for each agency and procedure."""
    blocks = sorted(newest, key=lambda block: naming.pathway(block.pathway))
    regions = sorted({group for block in blocks for group in block.tables.get("municipality", {}) if group.startswith("region:")})
    tables = [
        _across("stage", _picks("stage", STAGES), blocks, naming),
        _across("where", _picks("municipality", regions), blocks, naming),
        waits(blocks, naming),
        _across("rung", _picks("rung", RUNGS), blocks, naming),
        _across("told", [(measure, "yes") for measure in SINGLE], blocks, naming),
        _ranked("late", blocks, naming, named=True),
        _ranked("declined", blocks, naming, named=True),
        of_places(full, naming),
    ]
    return {table.id: table for table in tables}


def of_block(block: Block, naming: Naming) -> list[Table]:
    """Return all tables of a block: one bar a row."""
    return [
        _bars("stage", _picks("stage", STAGES, block), block, naming),
        waits([block], naming),
        _bars("rung", _picks("rung", RUNGS, block), block, naming),
        _bars("told", [(measure, "yes") for measure in SINGLE], block, naming),
        _ranked("late", [block], naming),
        _ranked("declined", [block], naming),
        _places(block, naming),
        *_people(block, naming),
    ]


def waits(blocks: Sequence[Block], naming: Naming) -> Table:
    """Return the waiting times: half of the children, and below it nine in ten."""
    return _across("wait", [(f"wait.{what}", "half") for what in WAITS], blocks, naming, below="most")


def of_places(full: Mapping[str, Mapping[str, FigureReleased]], naming: Naming) -> Table:
    """Return the days without a free place: a row for each kind of place, a column for each of the last six months."""
    months = sorted({month for by_month in full.values() for month in by_month})[-6:]
    rows = [Row(naming.group("full", role), [by_month.get(month) for month in months], 31) for role, by_month in full.items()]
    return _sorted_out("full", [naming.month(month) for month in months], sorted(rows, key=lambda row: row.name))


def _picks(measure: str, groups: Sequence[str], block: Block | None = None) -> list[Pick]:
    """Return these groups of a measure; of a block those that it has."""
    return [(measure, group) for group in groups if block is None or block.figure(measure, group)]


def _name(pick: Pick, naming: Naming) -> str:
    measure, group = pick
    return naming.part(measure) if group == "half" else naming.measure(measure) if group == "yes" else naming.group(measure, group)


def _across(id: str, picks: Sequence[Pick], blocks: Sequence[Block], naming: Naming, below: str = "") -> Table:
    """Return a row for each block and a column for each pick. below: group of the figures under these, which then have no bars."""
    rows = [
        Row(
            naming.pathway(block.pathway),
            [block.figure(*pick) for pick in picks],
            0 if below else block.children,
            block,
            [block.figure(measure, below) for measure, _ in picks] if below else (),
        )
        for block in blocks
    ]
    return _sorted_out(id, [_name(pick, naming) for pick in picks], rows)


def _sorted_out(id: str, columns: Sequence[str], rows: Sequence[Row]) -> Table:
    """Return a table of the rows with a shown figure, and the names of the others."""
    return Table(id, [row for row in rows if row.is_shown], [row.name for row in rows if not row.is_shown], columns)


def _bars(id: str, picks: Iterable[Pick], block: Block, naming: Naming) -> Table:
    """Return every pick, hidden ones included; if nothing is shown, only the names."""
    rows = [Row(_name(pick, naming), [block.figure(*pick)], block.children) for pick in picks]
    return Table(id, rows) if any(row.is_shown for row in rows) else Table(id, (), [row.name for row in rows])


def _ranked(id: str, blocks: Sequence[Block], naming: Naming, *, named: bool = False) -> Table:
    """Sort shown parts by their share, the largest first; list the names of hidden ones alphabetically."""
    ranked: list[tuple[float, str, Row]] = []
    rest: list[str] = []
    for block in blocks:
        for measure in block.measures(id):
            figure, name = block.figure(measure, "yes"), naming.part(measure)
            if figure is None or figure.value is None or not shown(figure):
                rest.append(f"{name} ({naming.pathway(block.pathway)})" if named else name)
            else:
                row = Row(name, [figure], block.children, block if named else None)
                ranked.append((-figure.value / max(block.children, 1), name, row))
    return Table(id, [row for _, _, row in sorted(ranked, key=lambda item: item[:2])], sorted(rest))


def _places(block: Block, naming: Naming) -> Table:
    """Return the regions, and the municipalities that are shown."""
    table = block.tables.get("municipality", {})
    rows = {group: Row(naming.group("municipality", group), [table[group]], block.children) for group in sorted(table) if group != "all"}
    regions = [row for group, row in rows.items() if group.startswith("region:")]
    single = sorted((row for group, row in rows.items() if not group.startswith("region:")), key=lambda row: row.name)
    if not any(row.is_shown for row in regions):
        return Table("where", (), [row.name for row in (*regions, *single)])
    shown_alone = _sorted_out("where", (), single)
    return Table("where", [*regions, *shown_alone.rows], shown_alone.rest)


def _people(block: Block, naming: Naming) -> Iterable[Table]:
    """Yield sex and age as single groups, then crossed if any crossed figure is shown."""
    table = block.tables.get("sex-age", {})
    singles = sorted(
        (group.startswith("age:") or group[:1].isdigit(), _age(group), group) for group in table if "/" not in group and group != "all"
    )
    yield _bars("people", [("sex-age", group) for _, _, group in singles], block, naming)
    crossed = [group for group in table if "/" in group]
    if any(table[group].mark is Mark.SHOWN for group in crossed):
        sexes = sorted({group.partition("/")[0] for group in crossed})
        ages = sorted({group.partition("/")[2] for group in crossed}, key=_age)
        rows = [Row(naming.code("sex", sex), [table.get(f"{sex}/{age}") for age in ages], block.children) for sex in sexes]
        yield Table("people.cross", rows, (), [naming.code("age-band", age) for age in ages])


def _age(code: str) -> tuple[int, str]:
    start = code.partition("-")[0]
    return (int(start) if start.isdigit() else 999), code
