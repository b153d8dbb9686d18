"""Define the rows that a benchmark yields: a value, and beside it a reference that was measured in the same run, or promised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. reference: the value to compare with, in the same unit. wanted: the bound of DESIGN §12 on value or ratio, as text."""

    name: str
    value: float
    unit: str
    reference: float | None = None
    against: str = ""
    wanted: str = ""
    reached: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Return value / reference; None without a reference."""
        return None if not self.reference else self.value / self.reference


def at_least(name: str, value: float, unit: str, bound: float) -> Row:
    """Return a figure that a promise bounds from below; the promise is its reference."""
    return Row(name=name, value=value, unit=unit, reference=bound, against="promised", wanted=f">= {bound:,g}", reached=value >= bound)


def at_most(name: str, value: float, unit: str, bound: float) -> Row:
    """Return a figure that a promise bounds from above; the promise is its reference."""
    return Row(name=name, value=value, unit=unit, reference=bound, against="promised", wanted=f"<= {bound:,g}", reached=value <= bound)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the sorted values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def show(rows: Iterable[Row]) -> None:
    """Print the rows as a table."""
    table = Table("figure", "value", "unit", "reference", "ratio", "against", "wanted", "", box=None, header_style="bold")
    for row in rows:
        mark = "" if row.reached is None else "ok" if row.reached else "SHORT"
        reference = "" if row.reference is None else f"{row.reference:,.4g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
        table.add_row(row.name, f"{row.value:,.4g}", row.unit, reference, ratio, row.against, row.wanted, mark)
    Console(width=160).print(table)


def write(rows: Iterable[Row], path: Path) -> None:
    """Write the rows as JSON: name, value, unit, reference, ratio and the rest."""
    listed = [{**msgspec.to_builtins(row), "ratio": row.ratio} for row in rows]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(listed), indent=1) + b"\n")
