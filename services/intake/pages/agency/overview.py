"""The page "Our agency": people, who is on duty, the week by rung, holes, and the way to every change."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import timedelta

from starlette.responses import Response

from referral.domain import rota
from referral.errors import Rejected
from referral.wire.roster import Hole, Overview
from services.intake.pages.agency import asking, showing, week
from services.intake.pages.page_request import PageRequest

SHOWN = 20
"""Most holes on the page (ours): whoever has more makes a rota first."""


async def page(call: PageRequest) -> Response:
    """Return the page, for the week and the instant that its links and its form name."""
    asking.head_only(call)
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
    return render.page(
        "agency.html",
        call.visit,
        here="/agency",
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
            for member in sorted(shown.people, key=lambda m: login(m.account))
        ],
        others=[one for account, one in names.items() if account not in {m.account for m in shown.people} and not one.disabled],
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
    return (at, False) if abs(at - now) <= 90 * asking.DAY_US else (now, True)
