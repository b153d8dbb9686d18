"""`referral policy show`: a procedure as a sheet that an expert signs, and as a flow picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from referral.cli import pathway_files, show
from referral.cli.pathway_picture import picture
from referral.cli.pathway_sheet import Rows, Sheet, sheet
from referral.domain.language import allowed

SIGN = "I have read this sheet, and it is what must happen.    name ____________________    office ____________________    date __________"


def show_command(
    pathway: Annotated[str, typer.Argument(help="Id of the procedure; without it a list of all.")] = "",
    folder: pathway_files.Folder = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Write the flow picture into this file.")] = None,
    as_json: show.Json = False,
) -> int:
    """What a procedure says, step by step: who, where, within which limits, what silence means, what is shown, on which basis.

    Exit 0 shown, 1 the policy is wrong, 2 there is no such procedure or folder.

    Example: referral policy show trafficking-child --svg trafficking-child.svg
    """
    policy = pathway_files.compiled(folder)
    if policy is None:
        return 1
    known = {one.id: one for one in policy.current}
    if not pathway:
        if svg:
            raise typer.BadParameter("a picture is of one procedure; name it")
        sheets = [sheet(one, policy) for one in policy.current]
        if as_json:
            show.document([{"id": one.id, "name": one.name, "version": one.version, "steps": len(one.steps)} for one in sheets])
        else:
            show.table(("procedure", "id", "version", "steps", "P limits"), [_line(one) for one in sheets])
        return 0
    if pathway not in known:
        raise typer.BadParameter(f"procedure {pathway} is not known; {allowed(pathway, known)}")
    if svg:
        svg.write_text(picture(known[pathway], policy), "utf-8")
    found = sheet(known[pathway], policy)
    if as_json:
        show.document(found)
    else:
        _print(found)
        if svg:
            show.console.print(f"\npicture: {svg}", soft_wrap=True)
    return 0


def _line(one: Sheet) -> tuple[object, ...]:
    return one.name, one.id, one.version, len(one.steps), f"{one.ours[0]} of {one.ours[1]}"


def _print(found: Sheet) -> None:
    show.console.print(f"{found.name} ({found.id}, version {found.version})", style="bold", markup=False)
    _rows(found.rows)
    for number, step in enumerate(found.steps, 1):
        show.console.print(f"\n{number}. {step.name}: {step.does} ({step.id})", style="bold", markup=False)
        _rows(step.rows)
    ours, limits = found.ours
    show.console.print(f"\nS stated by the source, D read in a public document, P our default: {ours} of {limits} limits are P.")
    show.console.print(f"SHA-256 of the file: {found.digest}\n\n{SIGN}", soft_wrap=True)


def _rows(rows: Rows) -> None:
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(min_width=22, max_width=32)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(f"  {label}", text)
    show.console.print(grid, markup=False)
