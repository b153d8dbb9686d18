"""Make pages for people: the headers of each page, and templates beside the frame that all have in common."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from referral.domain.local_time import local

HERE = Path(__file__).parent
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every page for people: browsers and proxies store nothing, load nothing foreign and run no script."""


def templates(*folders: Path) -> Environment:
    """Return the templates of these folders and of the frame, the first that has a name. One that names an unknown value raises.

    Filters for times in µs UTC, in Kosovo and in the language of `say`: `day`, `minute` and `second` with the day, `clock` without.
    """
    loader = FileSystemLoader((*folders, HERE / "templates"))
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"day": day, "minute": minute, "second": second, "clock": clock}
    return made


@pass_context
def day(page: Context, micros: int) -> str:
    """Return the day of a time."""
    at = local(micros)
    return str(page["say"]("date", day=f"{at:%d}", month=f"{at:%m}", year=f"{at:%Y}"))


@pass_context
def minute(page: Context, micros: int) -> str:
    """Return day and minute of a time."""
    return f"{day(page, micros)} {local(micros):%H:%M}"


@pass_context
def second(page: Context, micros: int) -> str:
    """Return day and second of a time."""
    return f"{day(page, micros)} {clock(micros)}"


def clock(micros: int) -> str:
    """Return the second of a time, without its day."""
    return f"{local(micros):%H:%M:%S}"
