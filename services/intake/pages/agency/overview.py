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
from services.intake.pages.agency import asking, showing, week
from services.intake.pages.page_request import PageRequest

SHOWN = 20
"""Most holes on the page (ours): whoever has more makes a rota first."""
FEW = 10
"""Most people that need no search (ours): two screens of a phone."""


async def page(call: PageRequest) -> Response:
    """Return the page, for the week and the instant that its links and its form name."""
    asking.head_only(call)
    return await _page(call)


async def find(call: PageRequest) -> Response:
    """Go to the page of the colleague whose login has what was typed; where several have it, list them. No login stands in an address."""
    asking.head_only(call)
    typed = call.form.get("login", "").strip().lower()[: passwords.LOGIN_MAX]
    found = [one for one in (await asking.staff(call)).values() if typed and typed in one.login]
    exact = [one for one in found if one.login == typed] or found
    if len(exact) == 1:
        return RedirectResponse(f"/agency/person/{exact[0].id}", status_code=303)
    return await _page(call, typed, frozenset(one.id for one in found)) if found else await _page(call, typed, status=404)


async def _page(call: PageRequest, typed: str = "", found_by: frozenset[str] = frozenset(), status: int = 200) -> Response:
    """Return the page. typed: part of a login; found_by: the accounts that have it, empty: all are shown."""
    now, query = call.visit.now, call.request.query_params
    first = week.chosen(query.get("week", ""), now)
    at, wrong = _at(query.get("at", ""), now)
    monday, sunday = week.midnight(first), week.midnight(first + timedelta(days=week.DAYS))
    begins, ends = min(now, at, monday), max(now, at, sunday) + 1
    names, found = await asking.staff(call), await asking.roster(call, now, now + asking.HOLES_US)
    shown = found if found is None else await asking.roster(call, begins, ends)
    if found is None or shown is None:
        return showing.away(call, "agency.title")
    render = call.pages.render
    say, name = render.say(call.visit), render.name(call.visit)
    login = week.logins({account: one.login for account, one in names.items()})
    ladder = ladder_of(call)
    policy = render.policy()
    rungs = [*ladder, *sorted({span.rung for span in shown.spans} - set(ladder))]
    calendar = policy.calendar.holidays
    holes = list(every_hole(found, ladder, now))
    known = {member.account for member in shown.people}
    people = [member for member in shown.people if not found_by or member.account in found_by]
    others = [one for account, one in names.items() if account not in known and not one.disabled]
    return render.page(
        "agency.html",
        call.visit,
        here="/agency",
        status=status,
        typed=typed,
        wrong=say("people.find.none") if status == 404 else "",
        fewer=bool(found_by),
        many=len(known) + len(others) > FEW,
        done=asking.done(call, "/agency"),
        people=[
            {
                "account": member.account,
                "login": login(member.account),
                "rungs": [name("rung", rung) for rung in member.rungs],
                "channels": [(contact.channel, contact.tail, contact.waits) for contact in member.contacts],
                "disabled": member.disabled,
                "head": (one := names.get(member.account)) is not None and one.head,
                "invited": one is not None and one.invited_at is not None,
                "now": [name("rung", rung) for rung in rungs if member.account in week.on_duty(shown.spans, rung, now)],
            }
            for member in sorted(people, key=lambda m: login(m.account))
        ],
        others=[one for one in others if not found_by or one.id in found_by],
        at=query.get("at", ""),
        at_words=week.moment(at, say),
        at_wrong=wrong,
        there=[(name("rung", rung), [login(a) for a in week.on_duty(shown.spans, rung, at)]) for rung in rungs],
        holes=[week.hole(one, say, name("rung", one.rung)) for one in holes[:SHOWN]],
        more=max(0, len(holes) - SHOWN),
        weeks=[(name("rung", rung), rung, week.week(shown.spans, rung, first, now, say, login, calendar)) for rung in rungs],
        before=str(first - timedelta(days=week.DAYS)),
        after=str(first + timedelta(days=week.DAYS)),
        lines=week.lines((r for r in shown.rows if r.part == "weekly" or r.ends > now), say, login, lambda rung: name("rung", rung)),
        swaps=[
            {"giver": login(s.giver), "taker": login(s.taker), "rung": name("rung", s.rung), "time": week.between(s.starts, s.ends, say)}
            for s in shown.swaps
        ],
        key=secrets.token_hex(16),
    )


def every_hole(found: Overview, ladder: Iterable[str], now: int) -> Iterable[Hole]:
    """Yield the holes by time: those that the notifier found, and the rungs of the ladder at which there is nobody at all."""
    known = {span.rung for span in found.spans}
    empty = [Hole(rung=rung, begins=now, ends=now + asking.HOLES_US, kind="nobody") for rung in ladder if rung not in known]
    return sorted((*empty, *found.holes), key=lambda one: (one.begins, one.rung))


def ladder_of(call: PageRequest) -> tuple[str, ...]:
    """Return the rungs of the reader's agency, lowest first; none if the policy in force does not know the agency."""
    agency = call.pages.render.policy().agencies.get(call.visit.who.agency)
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
