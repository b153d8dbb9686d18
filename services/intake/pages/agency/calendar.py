"""A person's shifts as a calendar feed (RFC 5545), at a secret address. It says when, and nothing about a case, an agency or a place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from starlette.responses import Response

from referral.domain.durations import DAY_US
from referral.domain.local_time import local
from referral.errors import Unavailable
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock
from referral.wire.roster import Ask
from services.intake import notifier_client
from services.intake.accounts import invitations
from services.intake.pages.agency import roster, week
from services.intake.pages.page_request import PageRequest, get

AHEAD_US, BEHIND_US = 90 * DAY_US, 7 * DAY_US
"""Time around now that a feed holds (P): what a calendar displays."""
STORED = "private, max-age=300"
"""Storing of the feed (RFC 9111): never by a proxy that others share, because the address alone opens it; by the reader's own program for
five minutes (ours), which keeps the shifts anyway. An address that has ended is refused from then on."""
MOST_OCTETS = 75
"""Octets of a line before it is folded (RFC 5545 §3.1)."""
ZONE = """BEGIN:VTIMEZONE
TZID:Europe/Belgrade
BEGIN:STANDARD
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19970330T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
END:DAYLIGHT
END:VTIMEZONE"""
"""The zone's rules since 1997 (IANA: Europe/Belgrade follows the Union's)."""


async def feed(call: PageRequest) -> Response:
    """Return the feed of whoever has this address. Rejected 404: nobody has it. Unavailable: the notifier is away; readers keep the old."""
    door = call.door
    async with door.stranger() as tx:
        account = await invitations.feed_of(tx, str(call.request.path_params["secret"])[:100])
        now = await clock.now(tx)
    if account is None:
        roster.no_page()
    found = None
    if door.notifier is not None:
        ask = Ask(agency=account.agency, begins=now - BEHIND_US, ends=now + AHEAD_US)
        found = await notifier_client.roster(door.notifier, door.keys, ask)
    if found is None:
        raise Unavailable("the notifier")
    title = call.pages.render.words[account.language]("feed.event")
    text = written(week.by_shift(found.rows, found.spans, account.id), title, now, lambda rung, at: uid(door.keys, account.id, rung, at))
    return Response(text, media_type="text/calendar; charset=utf-8", headers={"Cache-Control": STORED})


def written(shifts: Iterable[tuple[str, int, int]], title: str, now: int, uid: Callable[[str, int], str]) -> bytes:
    """Return the calendar of these shifts: (rung, begin, end), µs UTC. Pure. title: summary of each event. uid: (rung, begin) → its id."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//referral//duty//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH", *ZONE.split("\n")]
    for rung, begins, ends in shifts:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{uid(rung, begins)}",
            f"DTSTAMP:{_utc(now)}",
            f"DTSTART{_with_zone(begins)}",
            f"DTEND{_with_zone(ends)}",
        ]
        lines += [f"SUMMARY:{_escaped(title)}", "CLASS:PRIVATE", "TRANSP:TRANSPARENT", "X-MICROSOFT-CDO-BUSYSTATUS:FREE", "END:VEVENT"]
    lines.append("END:VCALENDAR")
    return b"".join(part + b"\r\n" for line in lines for part in _folded(line.encode()))


def uid(keys: Keys, account: str, rung: str, begins: int) -> str:
    """Return the id of a shift: the same at each reading, and nothing can be read from it."""
    return keys.hmac("shift-uid", account.encode(), rung.encode(), str(begins).encode()).hex()[:32] + "@referral"


def _with_zone(at: int) -> str:
    """Return a time with its zone. The second coming of an hour in autumn has no name there, so it is written in UTC."""
    then = local(at)
    return f":{_utc(at)}" if then.fold else f";TZID=Europe/Belgrade:{then:%Y%m%dT%H%M%S}"


def _utc(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1_000_000, UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: bytes) -> Iterator[bytes]:
    """Yield a line in parts of at most MOST_OCTETS, the following ones with a space in front; no letter is cut."""
    first = True
    while line:
        cut = MOST_OCTETS - (not first)
        while cut < len(line) and line[cut] & 0xC0 == 0x80:
            cut -= 1
        yield line[:cut] if first else b" " + line[:cut]
        line, first = line[cut:], False


ROUTES = get("/shifts/{secret}.ics", feed, strangers=True)
