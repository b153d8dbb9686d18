"""`referral policy show|schema`: print a procedure as a sheet that an expert signs, draw it, or print the JSON Schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from referral.cli import console
from referral.cli.policy import policy_folder
from referral.cli.policy.picture import picture
from referral.cli.policy.sheet import Rows, Sheet, sheet
from referral.domain.policy import Policy, PolicyErrors, compile
from referral.domain.policy.reading.json_schema import schema
from referral.domain.policy.reading.reader import allowed
from referral.errors import Rejected
from referral.runtime.settings import CHECKOUT

SIGN = "I have read this sheet, and it is what must happen.    name ____________________    office ____________________    date __________"


def show_command(
    pathway: Annotated[str, typer.Argument(help="Id of the procedure; by default a list of all.")] = "",
    folder: Folder = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Write the flow picture into this file.")] = None,
    as_json: console.Json = False,
) -> int:
    """Show a procedure step by step: who is asked, where, the limits, the effect of silence, the sections shown, the legal basis.

    Exit 0 shown, 1 the policy has an error, 2 there is no such procedure or folder.

    Example: referral policy show trafficking-child --svg trafficking-child.svg
    """
    policy = compiled(folder)
    if policy is None:
        return 1
    known = {each.id: each for each in policy.every}
    if not pathway:
        if svg:
            raise typer.BadParameter("a picture is of one procedure; name it")
        sheets = [sheet(each, policy) for each in policy.every]
        if as_json:
            return console.document(
                [{"id": each.id, "name": each.name, "version": each.version, "steps": len(each.steps)} for each in sheets]
            )
        return console.table(("procedure", "id", "version", "steps", "P limits"), [_line(each) for each in sheets])
    if pathway not in known:
        raise typer.BadParameter(f"procedure {pathway} is not known; {allowed(pathway, known)}")
    if svg:
        svg.write_text(picture(known[pathway], policy), "utf-8")
    chosen = sheet(known[pathway], policy)
    if as_json:
        return console.document(chosen)
    _print(chosen)
    if svg:
        console.say(f"\npicture: {svg}")
    return 0


def _line(each: Sheet) -> tuple[object, ...]:
    return each.name, each.id, each.version, len(each.steps), f"{each.ours[0]} of {each.ours[1]}"


def _print(chosen: Sheet) -> None:
    console.console.print(f"{chosen.name} ({chosen.id}, version {chosen.version})", style="bold", markup=False)
    _rows(chosen.rows)
    for number, step in enumerate(chosen.steps, 1):
        console.console.print(f"\n{number}. {step.name}: {step.does} ({step.id})", style="bold", markup=False)
        _rows(step.rows)
    ours, limits = chosen.ours
    console.say(f"\nS stated by the source, D read in a public document, P our default: {ours} of {limits} limits are P.")
    console.say(f"SHA-256 of the file: {chosen.digest}\n\n{SIGN}")


def _rows(rows: Rows) -> None:
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(min_width=22, max_width=32)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(f"  {label}", text)
    console.console.print(grid, markup=False)


Folder = Annotated[Path | None, typer.Option("--policy", help="The policy folder; by default the one of the checkout.")]


def compiled(folder: Path | None) -> Policy | None:
    """Compile a policy folder. None: it has errors, all printed to standard error. BadParameter: there is no such folder."""
    try:
        return compile(policy_folder.read(folder or CHECKOUT / "policy"))
    except Rejected as error:
        raise typer.BadParameter(str(error)) from None
    except PolicyErrors as wrong:
        for line in wrong.errors:
            console.errors.print(line, soft_wrap=True, markup=False)
        return None


def schema_command(folder: Folder = None, as_json: console.Json = True) -> int:
    """Print the JSON Schema of a procedure's file, with the code lists of this policy. It is always JSON.

    An editor loads it through the first line of a file: # yaml-language-server: $schema=../../docs/reference/pathway.schema.json

    Exit 0 printed, 1 the policy has an error, 2 there is no such folder.

    Example: referral policy schema
    """
    policy = compiled(folder)
    if policy is None:
        return 1
    return console.document(schema(policy.codes))
