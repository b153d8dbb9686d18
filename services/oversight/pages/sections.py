"""Arrange the figures as rows and matrices for a page, with their names. Pure; no order and no length depends on a hidden value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from referral.domain.events import FigureReleased, Mark
from services.oversight.pages.naming import Naming
from services.oversight.pages.view import Block

STAGES = ("begun", "acknowledged", "accepted", "arrived", "completed", "ended")
RUNGS = ("0", "1", "2", "3+")
WAITS = ("acknowledged", "accepted", "bed", "interview", "plan")
SINGLE = ("unanswered", "duplicate", "withdrawn")
"""Measures of yes and no without parts."""
COUNTRY = ("time", "waiting", "stage", "where", "wait", "full", "late", "declined", "rung", "told")
DEADLINES = ("late", "told", "declined", "wait", "full", "rung", "stage", "time", "waiting", "where")
"""The same sections, in the order of interest of the Committee and of the Adviser."""


class Cell(Struct, frozen=True):
    """A displayed figure. text: empty if it is hidden or not released. value, most: for its bar; most 0: no bar."""

    text: str
    hidden: bool = False
    value: int | None = None
    most: int = 0
    below: str = ""
    below_hidden: bool = False


class Row(Struct, frozen=True):
    """A displayed row. name: with a link if there is a page of it. note: beside it."""

    name: str
    cells: Sequence[Cell]
    note: str = ""
    href: str = ""


class Table(Struct, frozen=True):
    """A displayed table.

    measures: with their names; the definition of each is one click away. few: key of the text for what is hidden. rest: names of rows that
    are hidden. open: a long list, whose hidden rows are not all named.
    """

    id: str
    measures: Sequence[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[Row]
    rest: Sequence[str] = ()
    few: str = "hidden"
    open: bool = False


def of_all(newest: Iterable[Block], full: Mapping[str, Mapping[str, FigureReleased]], naming: Naming) -> dict[str, Table]:
    """Return the newest blocks, section by section: one row for each procedure, or one for each agency and procedure."""
    blocks = sorted(newest, key=lambda block: naming.pathway(block.pathway))
    regions = sorted({group for block in blocks for group in block.tables.get("municipality", {}) if group.startswith("region:")})
    singles = _named(naming, *SINGLE)
    tables = [
        _matrix("stage", "stage", STAGES, blocks, naming),
        _matrix("where", "municipality", regions, blocks, naming),
        waits(blocks, naming),
        _matrix("rung", "rung", RUNGS, blocks, naming),
        _sorted_out("told", singles, [name for _, name in singles], [_row(block, _yes(block, naming), naming) for block in blocks]),
        _ranked("late", blocks, naming, named=True),
        _ranked("declined", blocks, naming, named=True),
        of_places(full, naming),
    ]
    return {table.id: table for table in tables}


def of_block(block: Block, naming: Naming) -> list[Table]:
    """Return all tables of a block: one bar a row."""
    singles = _named(naming, *SINGLE)
    rows = [Row(name, [one]) for (_, name), one in zip(singles, _yes(block, naming), strict=True)]
    return [
        _bars("stage", block, "stage", STAGES, naming),
        waits([block], naming),
        _bars("rung", block, "rung", RUNGS, naming),
        _alone(Table("told", singles, (), rows)),
        _ranked("late", [block], naming),
        _ranked("declined", [block], naming),
        _places(block, naming),
        *_people(block, naming),
    ]


def waits(blocks: Sequence[Block], naming: Naming) -> Table:
    """Return the waiting times: half of the children, and below it nine in ten."""

    def cells(block: Block) -> list[Cell]:
        return [_wait(block, f"wait.{what}", naming) for what in WAITS]

    rows = [_row(block, cells(block), naming) for block in blocks]
    return _sorted_out("wait", _named(naming, "wait"), [naming.part(f"wait.{what}") for what in WAITS], rows, "hidden.few")


def of_places(full: Mapping[str, Mapping[str, FigureReleased]], naming: Naming) -> Table:
    """Return the days without a free place: a row for each kind of place, a column for each of the last six months."""
    months = sorted({month for row in full.values() for month in row})[-6:]
    rows = [Row(naming.group("full", role), [cell(row.get(month), 31, naming) for month in months]) for role, row in full.items()]
    rows.sort(key=lambda row: row.name)
    return _sorted_out("full", _named(naming, "full"), [naming.month(month) for month in months], rows, "hidden.places")


def cell(figure: FigureReleased | None, most: int, naming: Naming) -> Cell:
    """Return the cell of a figure; None: the release has no such figure."""
    if figure is None:
        return Cell("")
    if figure.mark is not Mark.SHOWN or figure.value is None:
        return Cell("", hidden=True)
    return Cell(naming.value(figure), value=figure.value, most=most)


def _wait(block: Block, measure: str, naming: Naming) -> Cell:
    half, most = block.figure(measure, "half"), block.figure(measure, "most")
    told, below = cell(half, 0, naming), cell(most, 0, naming)
    return Cell(told.text, told.hidden, told.value, 0, below.text, below.hidden)


def _matrix(id: str, measure: str, groups: Sequence[str], blocks: Sequence[Block], naming: Naming) -> Table:
    def cells(block: Block) -> list[Cell]:
        return [cell(block.figure(measure, group), block.children, naming) for group in groups]

    columns = [naming.group(measure, group) for group in groups]
    return _sorted_out(id, _named(naming, measure), columns, [_row(block, cells(block), naming) for block in blocks])


def _sorted_out(id: str, measures: Sequence[tuple[str, str]], columns: Sequence[str], rows: Sequence[Row], few: str = "hidden") -> Table:
    """Return a table of the rows with a shown figure, and the names of the others."""
    shown = [row for row in rows if any(one.text for one in row.cells)]
    return Table(id, measures, columns, shown, [row.name for row in rows if row not in shown], few)


def _yes(block: Block, naming: Naming) -> list[Cell]:
    return [cell(block.figure(measure, "yes"), block.children, naming) for measure in SINGLE]


def _named(naming: Naming, *measures: str) -> list[tuple[str, str]]:
    return [(measure, naming.measure(measure)) for measure in measures]


def _row(block: Block, cells: Sequence[Cell], naming: Naming) -> Row:
    note = f"{naming.period(block.first, block.last)} · {naming.say.count('child', block.children)}"
    return Row(naming.pathway(block.pathway), cells, note, f"/oversight/procedures/{block.pathway}")


def _bars(id: str, block: Block, measure: str, groups: Sequence[str], naming: Naming) -> Table:
    """Return every group, hidden ones included; if nothing is shown, only the names."""
    present = [group for group in groups if block.figure(measure, group)]
    rows = [Row(naming.group(measure, group), [cell(block.figure(measure, group), block.children, naming)]) for group in present]
    return _alone(Table(id, _named(naming, measure), (), rows))


def _alone(table: Table) -> Table:
    if any(one.text for row in table.rows for one in row.cells):
        return table
    return structs.replace(table, rows=(), rest=[row.name for row in table.rows])


def _ranked(start: str, blocks: Sequence[Block], naming: Naming, *, named: bool = False) -> Table:
    """Sort shown parts by their share, the largest first; list the names of hidden ones alphabetically."""
    shown: list[tuple[float, str, Row]] = []
    rest: list[str] = []
    for block in blocks:
        for measure in block.measures(start):
            one, name = cell(block.figure(measure, "yes"), block.children, naming), naming.part(measure)
            place = _row(block, [one], naming)
            if one.hidden or one.value is None:
                rest.append(f"{name} ({place.name})" if named else name)
            else:
                row = Row(name, [one], f"{place.name} · {place.note}" if named else "")
                shown.append((-one.value / max(block.children, 1), name, row))
    return Table(start, _named(naming, start), (), [row for _, _, row in sorted(shown, key=lambda item: item[:2])], sorted(rest), open=True)


def _places(block: Block, naming: Naming) -> Table:
    """Return the regions, and the municipalities that are shown."""
    table = block.tables.get("municipality", {})
    regions = sorted(group for group in table if group.startswith("region:"))
    single = sorted((naming.group("municipality", group), group) for group in table if group != "all" and not group.startswith("region:"))
    rows = [Row(naming.group("municipality", group), [cell(table[group], block.children, naming)]) for group in regions]
    if not any(row.cells[0].text for row in rows):
        return Table("where", _named(naming, "municipality"), (), (), [*(row.name for row in rows), *(name for name, _ in single)])
    shown = [Row(name, [cell(table[group], block.children, naming)]) for name, group in single if table[group].mark is Mark.SHOWN]
    rest = [name for name, group in single if table[group].mark is not Mark.SHOWN]
    return Table("where", _named(naming, "municipality"), (), [*rows, *shown], rest)


def _people(block: Block, naming: Naming) -> Iterable[Table]:
    """Yield sex and age as single groups, then crossed if any crossed figure is shown."""
    table = block.tables.get("sex-age", {})
    singles = sorted(
        (group.startswith("age:") or group[:1].isdigit(), _age(group), group) for group in table if "/" not in group and group != "all"
    )
    yield _bars("people", block, "sex-age", [group for _, _, group in singles], naming)
    crossed = [group for group in table if "/" in group]
    if any(table[group].mark is Mark.SHOWN for group in crossed):
        sexes = sorted({group.partition("/")[0] for group in crossed})
        ages = sorted({group.partition("/")[2] for group in crossed}, key=_age)
        rows = [Row(naming.code("sex", sex), [cell(table.get(f"{sex}/{age}"), block.children, naming) for age in ages]) for sex in sexes]
        yield Table("people.cross", _named(naming, "sex-age"), [naming.code("age-band", age) for age in ages], rows)


def _age(code: str) -> tuple[int, str]:
    start = code.partition("-")[0]
    return (int(start) if start.isdigit() else 999), code
