"""`referral duty gaps`: the holes of the rota in the next days, in words, while there is daylight to fill them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
import yaml

from referral.cli import console
from referral.cli.admin import roster
from referral.domain.local_time import local
from referral.runtime import settings
from referral.runtime.settings import Settings

DAYS = 14
"""Days that are looked at (P): a rota is made by the fortnight."""
MOST_DAYS = 92


def gaps_command(
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="Days from now.")] = DAYS,
    agency: Annotated[str | None, typer.Option(help="Only of this agency.")] = None,
    as_json: console.Json = False,
) -> int:
    """Print when nobody is on duty, by agency and rung, and when only e-mail reaches those who are.

    Agencies without people are left out.

    Exit 0 no hole, 1 somebody is missing (or no such agency), 2 the database is down.

    Example: referral duty gaps --days 14 --agency police-prizren
    """
    found = settings.load()
    if agency is not None:
        roster.agency(found, agency)
    report = roster.notifier("gaps", str(days), *([] if agency is None else [agency]))
    holes = list(_holes(found, report))
    if as_json:
        console.document({"begins": report["begins"], "ends": report["ends"], "gaps": holes})
    else:
        for hole in holes:
            print(line(hole, report["begins"], report["ends"]))
        if not holes:
            print(f"no hole until {_moment(report['ends'])}")
    return int(any(hole["kind"] == "nobody" for hole in holes))


def line(hole: Mapping[str, Any], begins: int, ends: int) -> str:
    """Return a hole in words: "police-prizren duty-officer: nobody, Sat 28 Nov 02:00–08:00"."""
    when = "the whole time" if (hole["begins"], hole["ends"]) == (begins, ends) else span(hole["begins"], hole["ends"])
    return f"{hole['agency']} {hole['rung']}: {hole['kind']}, {when}"


def span(begins: int, ends: int) -> str:
    """Return two instants by the clock in Belgrade; the second with its day only if that is another."""
    same_day = local(begins).date() == local(ends).date()
    return f"{_moment(begins)}–{local(ends):%H:%M}" if same_day else f"{_moment(begins)} – {_moment(ends)}"


def _moment(at: int) -> str:
    then = local(at)
    return f"{then:%a} {then.day} {then:%b %H:%M}"


def _holes(found: Settings, report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each hole with its agency, in the order of the ladder; a rung for which nobody is registered is one for the whole time."""
    for name, known in report["rungs"].items():
        file = found.policy / "directory" / f"{name}.yaml"
        order = [*(yaml.safe_load(file.read_text("utf-8")).get("ladder", ()) if file.is_file() else ())]
        order += [rung for rung in known if rung not in order]
        for rung in order:
            if rung not in known:
                yield {"agency": name, "rung": rung, "begins": report["begins"], "ends": report["ends"], "kind": "nobody"}
            yield from ({"agency": name, **gap} for gap in report["gaps"][name] if gap["rung"] == rung)
