"""Forms that change the rota: add a shift, add an absence, end one. Each sends one change to the notifier."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starlette.responses import Response

from referral.domain.rota import DAYS
from referral.wire.roster import AddAbsence, AddShift, End
from services.intake.pages.agency import roster
from services.intake.pages.page_request import PageRequest, form

PARTS = ("weekly", "single", "absence", "given")


async def shift_page(call: PageRequest) -> Response:
    """Return the form for a shift, every week or once. A link may name the rung and the person."""
    roster.head_only(call)
    query = call.request.query_params
    return await _form(call, "shift.html", {"rung": query.get("rung", ""), "account": query.get("account", "")})


async def add_shift(call: PageRequest) -> Response:
    """Add a shift."""
    roster.head_only(call)
    entered = call.form
    written, errors = _written(entered)
    errors |= roster.missing(entered, ("account", "rung"))
    if errors:
        return await _form(call, "shift.html", entered, errors, 422)
    since, until = (entered.get("since", ""), entered.get("until", "")) if entered.get("how") == "weekly" else ("", "")
    act = AddShift(account=entered["account"], rung=entered["rung"], written=written, since=since, until=until)
    return await roster.make(call, act, partial(_form, call, "shift.html", entered), "/agency", "shift")


def _written(entered: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return a shift as `rota.parse` reads it, and the errors."""
    if entered.get("how") == "weekly":
        days = [day for day in DAYS if entered.get(f"day.{day}")]
        errors = ({} if days else {"days": "error.days"}) | roster.missing(entered, ("start", "end"))
        end = entered.get("end", "")
        return f"{','.join(days)} {entered.get('start', '')}-{'24:00' if end == '00:00' else end}", errors
    if entered.get("how") == "once":
        return f"{entered.get('begins', '')}/{entered.get('ends', '')}", roster.missing(entered, ("begins", "ends"))
    return "", {"how": "error.how"}


async def absence_page(call: PageRequest) -> Response:
    """Return the form for an absence; a head may choose a colleague, anybody else writes the own."""
    return await _form(call, "absence.html", {"account": call.account.id})


async def add_absence(call: PageRequest) -> Response:
    """Add an absence."""
    entered, who = call.form, call.account
    if errors := roster.missing(entered, ("begins", "ends")):
        return await _form(call, "absence.html", entered, errors, 422)
    account = entered.get("account", "") if who.head else who.id
    if (asks := await roster.step_up(call, "/agency/absence")) is not None:
        return asks
    act, to = AddAbsence(account=account, begin=entered["begins"], end=entered["ends"]), "/agency" if who.head else "/me"
    return await roster.make(call, act, partial(_form, call, "absence.html", entered), to, "absence")


async def end(call: PageRequest) -> Response:
    """End a shift or an absence."""
    part, number = _row(call)
    # Anybody else can end only an absence of their own: then messages reach somebody more.
    if call.account.head and (asks := await roster.step_up(call, f"/agency/end/{part}/{number}")) is not None:
        return asks
    to = "/agency" if call.account.head else "/me"
    return await roster.make(call, End(part=part, number=number), partial(_end, call), to, "ended")


async def _end(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Ask once whether a shift or an absence shall end."""
    part, number = _row(call)
    found, who = await roster.roster(call), call.account
    if found is None:
        return roster.away(call, "end.title")
    row = next((row for row in found.rows if (row.part, row.number) == (part, number)), None)
    if not who.head and not (row is not None and row.part == "absence" and row.account == who.id):
        roster.no_page()
    errors = {**({"top": "error.gone"} if row is None else {}), **(errors or {})}
    login, back = roster.logins(await roster.staff(call)), "/agency" if who.head else "/me"
    more = {"row": row, "login": login, "action": f"/agency/end/{part}/{number}", "back_to": back}
    return roster.show(call, "end.html", found, {}, errors, 409 if row is None else status, **more)


def _row(call: PageRequest) -> tuple[str, int]:
    part, number = str(call.request.path_params["part"]), str(call.request.path_params["number"])
    if part not in PARTS or not (number.isascii() and number.isdecimal() and len(number) < 16):
        roster.no_page()
    return part, int(number)


async def _form(
    call: PageRequest, template: str, values: Mapping[str, str], errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    found, names = await roster.roster(call), await roster.staff(call)
    if found is None and status == 200:
        return roster.away(call, template.removesuffix(".html") + ".title")
    if found is not None:
        people = [(m.account, names[m.account].login) for m in found.people if m.account in names and not m.disabled]
        rungs = sorted({rung for m in found.people for rung in m.rungs})
    else:  # the notifier went away meanwhile: what was chosen stays
        people = [(account, names[account].login) for account in (values.get("account", ""),) if account in names]
        rungs = [rung for rung in (values.get("rung", ""),) if rung]
    return roster.show(
        call, template, found, values, errors or {}, status, people=sorted(people, key=lambda p: p[1]), rungs=rungs, days=DAYS
    )


ROUTES = (
    *form("/agency/shift", shift_page, add_shift),
    *form("/agency/absence", absence_page, add_absence),
    *form("/agency/end/{part}/{number}", _end, end),
)
