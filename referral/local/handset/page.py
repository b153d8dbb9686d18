"""Render the handset's page: telephones by number, what each received, and buttons to answer. One column, no JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

from referral.domain.local_time import local
from referral.local.handset import speech
from referral.web import frame
from referral.web.frame import PAGE_HEADERS

if TYPE_CHECKING:
    from referral.local.handset.telephones import Entry

REFRESH_SECONDS, RINGING_SECONDS = 5, 30
"""Gaps between two loads of the page by itself (ours): while a telephone rings, long enough to hear the call and press a button."""
HEADERS = PAGE_HEADERS | {"Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"] + "; media-src 'self'"}
ENDS = {
    "1": "answered with key 1: I look",
    "2": "answered with key 2: I cannot",
    "no-key": "answered, no key pressed",
    "declined": "declined",
    "rings-out": "not answered",
    "hung-up": "the caller hung up",
    "off": "the handset was switched off",
    "taken": "the notifier has it",
}
"""The end of an entry in words; any other end is words already."""
FOLDER = Path(__file__).parent
_TEMPLATES = frame.templates(FOLDER)


def page(entries: Sequence[Entry], names: Mapping[str, str], *, problem: str = "", replying: str = "", status: int = 200) -> Response:
    """Return the page, ringing telephones first.

    names: by number, whose telephone it is. problem: why the last request did nothing.
    replying: the number that writes a reply. With either, the page does not reload itself.
    """
    by_number = sorted(entries, key=lambda entry: entry.number)
    telephones = [(number, list(reversed(list(own)))) for number, own in groupby(by_number, key=lambda entry: entry.number)]
    telephones.sort(key=lambda one: (not any(entry.rings for entry in one[1]), -one[1][0].id))
    ringing = sum(entry.rings for entry in entries)
    html = _TEMPLATES.get_template("handset.html").render(
        telephones=telephones,
        names=names,
        ringing=ringing,
        problem=problem,
        replying=replying,
        refresh=None if problem or replying else RINGING_SECONDS if ringing else REFRESH_SECONDS,
        speaks=speech.here(),
        ends=ENDS,
        clock=lambda entry: f"{local(round(entry.at.timestamp() * 1e6)):%H:%M:%S}",
    )
    return HTMLResponse(html, status, HEADERS)


def stylesheet() -> Response:
    """Return the page's style."""
    return Response((FOLDER / "handset.css").read_text("utf-8"), media_type="text/css")
