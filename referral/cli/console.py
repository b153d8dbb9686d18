"""The output of commands: a table for people, one JSON document for programs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from referral.runtime import settings

if TYPE_CHECKING:
    from referral.client import Client

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
Url = Annotated[str, typer.Option("--url", envvar="REFERRAL_URL", help="Address of intake.")]
Token = Annotated[str, typer.Option("--token", envvar="REFERRAL_TOKEN", help="Your agency's token; better in the environment than here.")]
Word = Annotated[str, typer.Option("--word", help="A second operator's word for exactly this, as `referral operator word` prints it.")]
PROSE = 16
"""The smallest width in screen columns of a table column that holds sentences (ours)."""
DEFAULT_URL = "https://127.0.0.1:8080"

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that steer a terminal, or turn the direction of what is read: a log, a file or a server of somebody else may hold them."""


def shown(text: str) -> str:
    """Return a text as a terminal may display it: what would steer it is written out, as \\x1b."""
    return STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Screen(Console):
    """A terminal that displays what it is told, and obeys nothing in it."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(shown(text), **options)


console = Screen(highlight=False)
errors = Screen(stderr=True, highlight=False)


def client(url: str, token: str) -> Client:
    """Return the client of a command. A missing token is a usage error.

    It shows the certificate in the folder REFERRAL_AGENCY_TLS, and signs with the key in the file REFERRAL_SIGNING_KEY_FILE.
    """
    from referral.client import Client  # takes a tenth of a second to load; only commands that call intake pay it

    if not token:
        raise typer.BadParameter("set REFERRAL_TOKEN to your agency's token (an operator makes one with `referral agency token`)")
    own = settings.read()
    try:
        signing_key = own.signing_key_file.read_text("ascii") if own.signing_key_file else None
        return Client(url, token, signing_key=signing_key, identity=own.agency_tls, authority=believed())
    except ValueError as error:
        raise typer.BadParameter(f"--url, or REFERRAL_SIGNING_KEY_FILE: {error}") from None


def believed() -> Path | None:
    """Return the file of the authorities that a command believes: those beside the agency's certificate, or the operator's.

    None: this shell names neither, and the public authorities count.
    """
    own = settings.read()
    folder = own.agency_tls or own.tls
    return folder / "authority.pem" if folder else None


def document(value: object) -> int:
    """Print one JSON document, and return the exit code 0."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
    sys.stdout.flush()
    return 0


def say(*lines: str, style: str = "") -> None:
    """Print lines for people as they are: no markup, and none is broken, because people copy or search them."""
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, style=style or None)


def answer(as_json: bool, value: object, *lines: str) -> int:
    """Print the result of a command, as one JSON document or as lines, and return the exit code 0."""
    if as_json:
        return document(value)
    say(*lines)
    return 0


def progress(*, quiet: bool) -> Progress:
    """Return a progress bar for long work, on standard error. quiet: display none, because a program reads the output."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=errors, disable=quiet)


def wrong(lines: Iterable[str]) -> None:
    """Print the mistakes that the user must correct to standard error, one per line."""
    for line in lines:
        errors.print(line, soft_wrap=True, markup=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> int:
    """Print rows below their column names, and return the exit code 0. A single word (an id) is never broken: people search for it.

    Without a terminal, each row is one line, however long. On a narrow terminal sentences fold; single words make the line longer instead.
    """
    lines = [["" if cell is None else shown(str(cell)) for cell in row] for row in rows]
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    needed = 0
    for column, name in enumerate(columns):
        words = not any(" " in line[column] for line in lines)
        longest = max(map(len, (name, *(line[column] for line in lines))))
        width = longest if words or not console.is_terminal else min(longest, PROSE)
        grid.add_column(name, no_wrap=words, overflow="fold", min_width=width)
        needed += width + 2
    for line in lines:
        grid.add_row(*line)
    wide = max(console.width, needed) if console.is_terminal else needed
    screen = Screen(file=console.file, width=wide, force_terminal=console.is_terminal, no_color=console.no_color, highlight=False)
    screen.print(grid, markup=False)
    return 0
