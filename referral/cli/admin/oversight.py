"""`referral oversight`: manage the tokens of the oversight pages, list the releases, and show one."""

from __future__ import annotations

import itertools
from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, console
from referral.cli.connection import run
from referral.domain.events import FigureReleased, Mark
from referral.domain.local_time import moment
from referral.errors import Rejected
from referral.proof import act
from referral.runtime import settings
from referral.runtime.postgres import tokens
from referral.runtime.postgres.figure_releases import BEGINS, published
from referral.runtime.postgres.tokens import OFFICE, OVERSIGHT
from referral.wire.figure_release import Published

BEGIN = text("INSERT INTO runtime.settings VALUES (:name, '1') ON CONFLICT DO NOTHING")


class Role(StrEnum):
    """The part of the pages that a reader sees first; both roles may read everything."""

    COMMITTEE = "committee"
    ADVISER = "adviser"


Name = Annotated[str, typer.Argument(help="An office as one word, no person, e.g. committee-secretariat.")]
RoleOf = Annotated[Role, typer.Argument(help="committee begins with the country, adviser with the deadlines.")]
Number = Annotated[int | None, typer.Argument(help="Number of the release; by default the newest.")]
All = Annotated[bool, typer.Option("--all", help="List hidden figures too, one per line.")]


def add_command(name: Name, role: RoleOf, word: console.Word = "", as_json: console.Json = False) -> int:
    """Make a token for the oversight pages. It is shown once, and stored as a hash.

    Exit 0 made, 2 the name is malformed, or the database is down.

    Example: referral oversight reader add childrens-rights-adviser adviser
    """
    if not OFFICE.fullmatch(name):  # no person's name may be stored there
        raise typer.BadParameter("NAME: an office as one word, e.g. committee-secretariat: a to z, digits and hyphens, at most 63")
    token = tokens.made()
    about = (f"office:{name}", act.token(tokens.digest(token)))

    async def add(tx: AsyncConnection, _: list[str]) -> None:
        await OVERSIGHT.add(tx, {name: token}, note=role.value)

    administration.change(settings.load(), "oversight reader add", add, *about, word=word)
    return console.answer(as_json, {"name": name, "role": role.value, "token": token}, token)


def list_command(as_json: console.Json = False) -> int:
    """List the offices that have or had a token.

    Exit 0 done, 2 the database is down.

    Example: referral oversight reader list
    """
    readers = [(each.holder.name, each.holder.note, each.made_at, each.ended_at) for each in run(settings.load(), OVERSIGHT.read)]
    if as_json:
        return console.document([dict(zip(("name", "role", "created_at", "ended_at"), each, strict=True)) for each in readers])
    rows = [(name, role, moment(since), moment(ended)) for name, role, since, ended in readers]
    return console.table(("office", "role", "since", "ended"), rows)


def end_command(name: Name, as_json: console.Json = False) -> int:
    """End every token of an office, at once.

    Exit 0 ended, 1 no token of this name is valid, 2 the database is down.

    Example: referral oversight reader end committee-secretariat
    """

    async def end(tx: AsyncConnection, about: list[str]) -> int:
        ended = await OVERSIGHT.end(tx, name)
        if not ended:
            raise Rejected("unknown-reader", "NAME", "this office has no valid token")
        about += map(act.token, ended)
        return len(ended)

    count = administration.change(settings.load(), "oversight reader end", end, f"office:{name}")
    return console.answer(as_json, {"ended": count}, f"{count} ended")


def begin_command(as_json: console.Json = False) -> int:
    """Confirm that no release was ever made, although the first month closed over two months ago: oversight then makes them all.

    Never run it after releases were lost. Releases made again lack the cases erased since; compared with the old ones, they disclose that
    child.

    Exit 0 confirmed, 2 the database is down.

    Example: referral oversight begin
    """
    administration.change(settings.load(), "oversight begin", lambda tx, _: begin(tx))
    return console.answer(as_json, {"begins": True}, "oversight may begin: it does so at its next start")


def releases_command(as_json: console.Json = False) -> int:
    """List the releases that are out, with the report of each.

    Exit 0 done, 1 one of them was changed in the database, 2 the database is down.

    Example: referral oversight releases
    """
    releases = run(settings.load(), published)
    if as_json:
        return console.document([{"published_at": each.at, **msgspec.to_builtins(each.made)} for each in releases])
    return console.table(
        ("release", "closes", "corrects", "shown", "hidden", "waiting", "narrowest", "published"), [_release_row(each) for each in releases]
    )


def show_command(number: Number = None, every: All = False, as_json: console.Json = False) -> int:
    """Show a release: its figures, the waiting blocks, and the number of hidden figures.

    Exit 0 done, 1 there is no such release, or it was changed in the database, 2 the database is down.

    Example: referral oversight show 3
    """
    releases = run(settings.load(), published)
    chosen = next((each for each in reversed(releases) if number in (None, each.number)), None)
    if chosen is None:
        raise Rejected("unknown-release", "NUMBER", "none of this number is out" if number is not None else "none is out yet")
    if as_json:
        return console.document(
            {"made": msgspec.to_builtins(chosen.made), "figures": [msgspec.to_builtins(figure) for figure in chosen.figures]}
        )
    made = chosen.made
    corrects = f", corrects release {made.corrects}" if made.corrects else ""
    console.say(f"release {made.release}: {made.month}{corrects}; hidden: fewer than {made.threshold} or protected")
    for (first, last, pathway), figures in itertools.groupby(chosen.figures, lambda figure: (figure.first, figure.last, figure.pathway)):
        months = first if first == last else f"{first}..{last}"
        rows = [_figure_row(figure) for figure in figures if every or _informative(figure)]
        if rows:
            console.table(("measure", "group", "figure", "unit"), rows, title=f"\n{pathway or 'the country'} {months}")
    if not every:
        console.say(f"{made.hidden} hidden (--all names them)")
    for each in made.counted:
        count = f"fewer than {made.threshold}" if each.count is None else str(each.count)
        console.say(f"{each.what}: {count}")
    return 0


async def begin(tx: AsyncConnection) -> None:
    """Allow oversight to make its first releases, although months have closed long ago."""
    await tx.execute(BEGIN, {"name": BEGINS})


def _release_row(each: Published) -> tuple[object, ...]:
    made = each.made
    return made.release, made.month, made.corrects, made.shown, made.hidden, made.waiting, made.narrowest, moment(each.at)[:10]


def _informative(figure: FigureReleased) -> bool:
    """Return True for a figure that is not hidden and does not repeat the number of children or the remainder."""
    return figure.mark is not Mark.HIDDEN and figure.group != "no" and (figure.group != "all" or figure.measure == "children")


def _figure_row(figure: FigureReleased) -> tuple[object, ...]:
    value = figure.value if figure.mark is Mark.SHOWN else figure.mark.value.lower()
    return figure.measure, figure.group, value, figure.unit.value.lower()
