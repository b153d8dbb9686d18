"""The page on which somebody who was invited sets the password. It says the same for every code that is not good."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from referral.runtime import passwords
from referral.runtime.observe import signed
from referral.runtime.postgres import clock, security_events
from referral.wire import security_event
from referral.wire.security_event import Event, Kind
from services.intake.accounts import invitations, store
from services.intake.pages.agency import showing
from services.intake.pages.page_request import PageRequest


async def page(call: PageRequest) -> Response:
    """Return the form for the code and the new password."""
    return _form(call)


async def accept(call: PageRequest) -> Response:
    """Store the password of whoever has the code, once. The hash is made only for a good code, so guesses cost nothing."""
    form = call.form
    errors = showing.missing(form, ("code", "new", "repeat"))
    if not errors and form["new"] != form["repeat"]:
        errors = {"repeat": "error.repeat"}
    if not errors and not passwords.PASSWORD_MIN <= len(form["new"]) <= passwords.PASSWORD_MAX:
        errors = {"new": "error.bad-password"}
    if errors:
        return _form(call, errors, 422)
    code, door = form["code"][:100], call.pages.door
    async with door.stranger() as tx:
        account = await invitations.invited(tx, code, await clock.now(tx))
    if account is None:
        door.journal.note(Kind.REFUSED, security_event.UNKNOWN, "code", store.place(door.keys, call.request))
        return _form(call, {"code": "error.invitation"}, 422)
    async with call.pages.known_hashing:
        hashed = await run_in_threadpool(passwords.hashed, form["new"])
    async with door.begin() as tx:
        used = await invitations.use(tx, account.id, code, hashed)
        if used:
            await security_events.put(tx, Event(kind=Kind.PASSWORD_SET, who=security_event.account(account.id), detail="invitation"))
    if not used:
        return _form(call, {"code": "error.invitation"}, 422)
    signed("intake", "password", account.id)
    return call.pages.render.page("set.html", call.visit, here="/signin", login=account.login)


def _form(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    say = call.pages.render.say(call.visit)
    shown = {field: say.first(text, "error.refused") for field, text in (errors or {}).items()}
    least = passwords.PASSWORD_MIN
    code = call.form.get("code", "")[:100]
    return call.pages.render.page("invited.html", call.visit, here="/invitation", status=status, errors=shown, code=code, least=least)
