"""Forms that change the rota: add a shift, add an absence, end one. Each sends one change to the notifier."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from referral.domain.rota import DAYS
from referral.errors import Rejected
from referral.wire.roster import AddAbsence, AddShift, End, Refused
from services.intake.pages.agency import asking, showing, step_up, week
from services.intake.pages.page_request import PageRequest

PARTS = ("weekly", "single", "absence", "given")


async def shift_page(call: PageRequest) -> Response:
    """Return the form for a shift, every week or once. A link may name the rung and the person."""
    asking.head_only(call)
    query = call.request.query_params
    return await _form(call, "shift.html", {"rung": query.get("rung", ""), "account": query.get("account", "")})


async def add_shift(call: PageRequest) -> Response:
    """Add a shift."""
    asking.head_only(call)
    form = call.form
    written, errors = _written(form)
    errors |= showing.missing(form, ("account", "rung"))
    if errors:
        return await _form(call, "shift.html", form, errors, 422)
    since, until = (form.get("since", ""), form.get("until", "")) if form.get("how") == "weekly" else ("", "")
    act = AddShift(account=form["account"], rung=form["rung"], written=written, since=since, until=until)
    made = await asking.change(call, act)
    if isinstance(made, Refused):
        return await _form(call, "shift.html", form, showing.refused(made), asking.status(made))
    return asking.sent(call, "/agency", "shift")


def _written(form: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return a shift as `rota.parse` reads it, and the errors."""
    if form.get("how") == "weekly":
        days = [day for day in DAYS if form.get(f"day.{day}")]
        errors = ({} if days else {"days": "error.days"}) | showing.missing(form, ("start", "end"))
        end = form.get("end", "")
        return f"{','.join(days)} {form.get('start', '')}-{'24:00' if end == '00:00' else end}", errors
    if form.get("how") == "once":
        return f"{form.get('begins', '')}/{form.get('ends', '')}", showing.missing(form, ("begins", "ends"))
    return "", {"how": "error.how"}


async def absence_page(call: PageRequest) -> Response:
    """Return the form for an absence; a head may choose a colleague, anybody else writes the own."""
    return await _form(call, "absence.html", {"account": call.visit.who.id})


async def add_absence(call: PageRequest) -> Response:
    """Add an absence."""
    form, who = call.form, call.visit.who
    if errors := showing.missing(form, ("begins", "ends")):
        return await _form(call, "absence.html", form, errors, 422)
    account = form.get("account", "") if who.head else who.id
    if (asks := await step_up.question(call, "/agency/absence")) is not None:
        return asks
    made = await asking.change(call, AddAbsence(account=account, begin=form["begins"], end=form["ends"]))
    if isinstance(made, Refused):
        return await _form(call, "absence.html", form, showing.refused(made), asking.status(made))
    return asking.sent(call, "/agency" if who.head else "/me", "absence")


async def end_page(call: PageRequest) -> Response:
    """Ask once whether a shift or an absence shall end."""
    return await _end(call)


async def end(call: PageRequest) -> Response:
    """End a shift or an absence."""
    part, number = _row(call)
    # Anybody else can end only an absence of their own: then messages reach somebody more.
    if call.visit.who.head and (asks := await step_up.question(call, f"/agency/end/{part}/{number}")) is not None:
        return asks
    made = await asking.change(call, End(part=part, number=number))
    if isinstance(made, Refused):
        return await _end(call, showing.refused(made), asking.status(made))
    return asking.sent(call, "/agency" if call.visit.who.head else "/me", "ended")


async def _end(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    part, number = _row(call)
    found, who = await showing.roster(call), call.visit.who
    if found is None:
        return showing.away(call, "end.title")
    render = call.pages.render
    say, name = render.say(call.visit), render.name(call.visit)
    rows = [row for row in found.rows if (row.part, row.number) == (part, number)]
    if not who.head and not (rows and rows[0].part == "absence" and rows[0].account == who.id):
        raise Rejected("unknown-page", "path", "there is no such page", status=404)
    login = week.logins({account: one.login for account, one in (await asking.staff(call)).items()})
    line = next(iter(week.lines(rows, say, login, lambda rung: name("rung", rung))), None)
    errors = {**({} if line else {"top": "error.gone"}), **(errors or {})}
    shared = {"action": f"/agency/end/{part}/{number}", "back_to": "/agency" if who.head else "/me"}
    return showing.show(call, "end.html", found, {}, errors, status if line else 409, line=line, **shared)


def _row(call: PageRequest) -> tuple[str, int]:
    part, number = str(call.request.path_params["part"]), str(call.request.path_params["number"])
    if part not in PARTS or not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise Rejected("unknown-page", "path", "there is no such page", status=404)
    return part, int(number)


async def _form(
    call: PageRequest, template: str, values: Mapping[str, str], errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    found, names = await showing.roster(call), await asking.staff(call)
    if found is None and status == 200:
        return showing.away(call, template.removesuffix(".html") + ".title")
    if found is not None:
        people = [(m.account, names[m.account].login) for m in found.people if m.account in names and not m.disabled]
        rungs = sorted({rung for m in found.people for rung in m.rungs})
    else:  # the notifier went away meanwhile: what was chosen stays
        people = [(account, names[account].login) for account in (values.get("account", ""),) if account in names]
        rungs = [rung for rung in (values.get("rung", ""),) if rung]
    name = call.pages.render.name(call.visit)
    more = {"people": sorted(people, key=lambda one: one[1]), "rungs": [(rung, name("rung", rung)) for rung in rungs], "days": DAYS}
    return showing.show(call, template, found, values, errors or {}, status, **more)
