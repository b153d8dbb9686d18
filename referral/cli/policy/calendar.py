"""`referral policy calendar refresh`: write a country's holidays and clock changes into the policy, so that no decision looks them up.

`run_out` checks that the calendar reaches far enough from today: after its last year, working days are undefined.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
import yaml

from referral.cli import console
from referral.domain.local_time import LOCAL
from referral.domain.policy import Policy
from referral.domain.policy.limits import Limit, countable
from referral.errors import Rejected
from referral.runtime import settings

COUNTRY = "XK"
SPAN = 20
"""The largest number of years: a calendar further ahead would mostly hold estimates (ours)."""
HEAD = """\
# A snapshot (Python package holidays, {version}, country {country}; IANA zone): a decision must come out the same
# on every machine, for ever. Written by `referral policy calendar refresh`. offset: minutes ahead of UTC from that instant on.
calendar: {country}
zone: {zone}
source: holidays {version}
"""


def refresh_command(
    folder: Annotated[Path | None, typer.Argument(help="The policy folder; by default the one of the checkout.")] = None,
    years: Annotated[str, typer.Option(help="2026-2030; by default the years that the snapshot has.")] = "",
    dry: Annotated[bool, typer.Option("--dry-run", help="Only print the difference.")] = False,
) -> int:
    """Rewrite the calendar of the policy and print the differences. It is in force from the next `referral policy activate` on.

    Exit 0 written, or nothing to write; 1 the years are refused; 2 the folder, or the package `holidays`, is missing.

    Example: referral policy calendar refresh --years 2026-2030
    """
    file = (folder or settings.CHECKOUT / "policy") / "calendars" / f"{COUNTRY}.yaml"
    before = file.read_text("utf-8")
    first, last = span(years) if years else known(before)
    after = written(first, last)
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), "in force", "new", n=0, lineterm=""):
        console.say(line)
    if after == before:
        console.say(f"{file.name} is what the package says of {first} to {last}; nothing to write")
    elif not dry:
        file.write_text(after, "utf-8")
        console.say(f"{file.name} is written, {first} to {last}; `referral policy activate` puts it into force")
    return 0


def span(years: str) -> tuple[int, int]:
    """Return the first and last year of `2026-2030` or `2026`. Rejected: malformed, or too long."""
    match = re.fullmatch(r"([0-9]{4})(?:-([0-9]{4}))?", years)
    if match is None:
        raise Rejected("malformed", "--years", "write 2026-2030, or one year")
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last < first + SPAN:
        raise Rejected("years", "--years", f"from the earlier to the later, {SPAN} years at most")
    return first, last


def known(text: str) -> tuple[int, int]:
    """Return the first and last year of a snapshot. Rejected: it has no holidays."""
    days = [str(item["day"]) for item in yaml.safe_load(text).get("holidays", ())]
    if not days:
        raise Rejected("empty", "calendar", "say --years 2026-2030")
    return int(min(days)[:4]), int(max(days)[:4])


def written(first: int, last: int) -> str:
    """Return the text of the file for these years, both included. Rejected: the package does not cover all of them."""
    try:
        import holidays
    except ImportError:
        raise typer.BadParameter("the Python package holidays is missing; install this program with its extra `policy`") from None
    country = type(holidays.country_holidays(COUNTRY))
    if first < country.start_year or last > country.end_year:
        raise Rejected("years", "--years", f"the package holidays {holidays.__version__} knows {country.start_year} to {country.end_year}")
    lines = [HEAD.format(version=holidays.__version__, country=COUNTRY, zone=LOCAL.key) + "clock_changes:"]
    lines += [f'  - {{at: "{at.isoformat()}", offset: {minutes}}}' for at, minutes in changes(first, last)]
    lines.append("holidays:")
    for day, name in sorted(holidays.country_holidays(COUNTRY, years=range(first, last + 1), language="en_US").items()):
        lines.append(f'  - {{day: "{day.isoformat()}", name: "{name}"}}')
    return "\n".join(lines) + "\n"


def changes(first: int, last: int) -> Iterator[tuple[datetime, int]]:
    """Yield each instant from which another offset (in minutes) holds; the first is the beginning of the first year."""
    offset, hour = -1, datetime(first, 1, 1, tzinfo=UTC)
    end = datetime.combine(date(last + 1, 1, 1), datetime.min.time(), UTC)
    while hour < end:
        now = round((hour.astimezone(LOCAL).utcoffset() or timedelta()).total_seconds()) // 60
        if now != offset:
            yield hour, now
        offset, hour = now, hour + timedelta(hours=1)


EPOCH = date(1970, 1, 1).toordinal()


def run_out(policy: Policy, now: int) -> tuple[str, ...]:
    """Return one line for each procedure with a limit that, begun now (µs UTC), the calendar could not count to its end."""
    last = date.fromordinal(EPOCH + min(policy.calendar.ends, 3_000_000) - 1).year
    return tuple(
        f"calendars/{policy.calendar.id}.yaml:1:1: ends with {last}, and {amount} {unit} of step {step} of {pathway} would run past it; "
        f"`referral policy calendar refresh --years …` writes further years"
        for pathway, step, amount, unit in _beyond(policy, now)
    )


def _beyond(policy: Policy, now: int) -> list[tuple[str, str, int, str]]:
    found = []
    for pathway in policy.every:
        for step in pathway.steps:
            worst: Limit | None = max(
                (limit for limit in step.limits.values() if not countable(limit, now, policy.calendar)),
                key=lambda x: x.amount,
                default=None,
            )
            if worst is not None:
                found.append((pathway.id, step.id, worst.amount, worst.unit))
                break
    return found
