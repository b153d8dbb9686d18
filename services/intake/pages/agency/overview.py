"""The page "Our agency": people, who is on duty, the week by rung, holes, and the way to every change."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import timedelta

from starlette.responses import RedirectResponse, Response

from referral.domain import rota
from referral.domain.durations import DAY_US
from referral.errors import Rejected
from referral.runtime import passwords
from referral.wire.roster import Hole, Overview
from services.intake.pages.agency import roster, week
from services.intake.pages.page_request import PageRequest, get, post

SHOWN = 20
"""Most holes on the page (ours): whoever has more makes a rota first."""
FEW = 10
"""Most people that need no search (ours): two screens of a phone."""


async def page(call: PageRequest) -> Response:
    """Return the page, for the week and the instant that its links and its form name."""
    roster.head_only(call)
    return await _page(call)


async def find(call: PageRequest) -> Response:
    """Go to the page of the colleague whose login has what was typed; where several have it, list them. No login stands in an address."""
    roster.head_only(call)
    typed = call.form.get("login", "").strip().lower()[: passwords.LOGIN_MAX]
    found = [one for one in (await roster.staff(call)).values() if typed and typed in one.login]
    exact = [one for one in found if one.login == typed] or found
    if len(exact) == 1:
        return RedirectResponse(f"/agency/person/{exact[0].id}", status_code=303)
    return await _page(call, typed, frozenset(one.id for one in found)) if found else await _page(call, typed, status=404)


async def _page(call: PageRequest, typed: str = "", found_by: frozenset[str] = frozenset(), status: int = 200) -> Response:
    """Return the page. typed: part of a login; found_by: the accounts that have it, empty: all are shown."""
    now, query = call.now, call.request.query_params
    first = week.chosen(query.get("week", ""), now)
    at, wrong = _at(query.get("at", ""), now)
    monday, sunday = week.midnight(first), week.midnight(first + timedelta(days=week.DAYS))
    begins, ends = min(now, at, monday), max(now, at, sunday) + 1
    names, found = await roster.staff(call), await roster.roster(call, now, now + roster.HOLES_US)
    shown = found if found is None else await roster.roster(call, begins, ends)
    if found is None or shown is None:
        return roster.away(call, "agency.title")
    ladder, login, calendar = ladder_of(call), roster.logins(names), call.policy.calendar.holidays
    rungs = [*ladder, *sorted({span.rung for span in shown.spans} - set(ladder))]
    holes = list(every_hole(found, ladder, now))
    known = {member.account for member in shown.people}
    others = [one for account, one in names.items() if account not in known and not one.disabled]
    return call.page(
        "agency.html",
        here="/agency",
        status=status,
        typed=typed,
        wrong="people.find.none" if status == 404 else "",
        fewer=bool(found_by),
        many=len(known) + len(others) > FEW,
        done=roster.done(call, "/agency"),
        names=names,
        login=login,
        people=sorted((one for one in shown.people if not found_by or one.account in found_by), key=lambda one: login(one.account)),
        others=[one for one in others if not found_by or one.id in found_by],
        on_duty=lambda rung, instant: week.on_duty(shown.spans, rung, instant),
        rungs=rungs,
        at=at,
        at_typed=query.get("at", ""),
        at_wrong=wrong,
        holes=holes[:SHOWN],
        more=max(0, len(holes) - SHOWN),
        weeks=[(rung, week.week(shown.spans, rung, first, now, calendar)) for rung in rungs],
        before=str(first - timedelta(days=week.DAYS)),
        after=str(first + timedelta(days=week.DAYS)),
        rows=[row for row in shown.rows if row.part == "weekly" or row.ends > now],
        swaps=shown.swaps,
        key=secrets.token_hex(16),
    )


def every_hole(found: Overview, ladder: Iterable[str], now: int) -> Iterable[Hole]:
    """Yield the holes by time: those that the notifier found, and the rungs of the ladder at which there is nobody at all."""
    known = {span.rung for span in found.spans}
    empty = [Hole(rung=rung, begins=now, ends=now + roster.HOLES_US, kind="nobody") for rung in ladder if rung not in known]
    return sorted((*empty, *found.holes), key=lambda one: (one.begins, one.rung))


def ladder_of(call: PageRequest) -> tuple[str, ...]:
    """Return the rungs of the reader's agency, lowest first; none if the policy in force does not know the agency."""
    agency = call.policy.agencies.get(call.account.agency)
    return () if agency is None else agency.ladder


def _at(written: str, now: int) -> tuple[int, bool]:
    """Return the instant of a form, and whether it was none. Only three months around now are displayed."""
    if not written:
        return now, False
    try:
        at = rota.moment(written)
    except Rejected:
        return now, True
    return (at, False) if abs(at - now) <= 90 * DAY_US else (now, True)


ROUTES = (*get("/agency", page), *post("/agency/find", find))
