"""Pages by which a head invites people and changes what they are, and the one on which whoever was invited sets the password.

That page says the same for every code that is not good.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import segno
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from referral.errors import Rejected
from referral.roster import accounts
from referral.roster.accounts import Made
from referral.runtime import passwords, random_secret
from referral.runtime.observe import signed
from referral.runtime.passwords import LANGUAGES
from referral.runtime.postgres import clock, security_events
from referral.wire import security_event
from referral.wire.roster import Refused, SetDisabled, SetPerson
from referral.wire.security_event import Event, Kind
from services.intake.accounts import colleagues, invitations, store
from services.intake.accounts.colleagues import Colleague
from services.intake.accounts.store import Account
from services.intake.pages.agency import roster
from services.intake.pages.agency.overview import ladder_of
from services.intake.pages.forms import SURE, YES, Fields
from services.intake.pages.page_request import PageRequest, form, get, known_id, post
from services.intake.store import unknown


async def invite(call: PageRequest) -> Response:
    """Make an account without a password of anybody's, register it for its rungs, and show its code once.

    The roster comes second: a code is of use without it, and a person at a rung without an account would be of none. If the notifier does
    not answer, the page says so, and the head registers the rungs later.
    """
    roster.head_only(call)
    entered, who = call.form, call.account
    rungs, errors = _rungs(call), dict[str, str]()
    try:
        login = passwords.login(entered.get("login", ""))
    except Rejected:
        login, errors = "", {"login": "error.login"}
    language = entered.get("language", "")
    if language not in LANGUAGES:
        errors["language"] = "signin.missing"
    if errors:
        return await _invite(call, entered, errors, 422)
    if (asks := await roster.step_up(call, "/agency/invite")) is not None:
        return asks
    made = Account(call.door.new_id(), login, who.agency, language, desk=False, head=bool(entered.get("head")))
    async with call.pages.known_hashing:
        hashed = await run_in_threadpool(passwords.hashed, random_secret.made())
    async with call.door.begin() as tx:
        await _still_head(call, tx)
        code = await invitations.add(tx, made, hashed, call.now)
        if code is not None:
            await _log(call, tx, made.id, Made.INVITED, *((Made.HEAD,) if made.head else ()))
    if code is None:
        return await _invite(call, entered, {"login": "error.login-taken"}, 409)
    signed("intake", "invited", made.id)
    known = await roster.change(call, SetPerson(account=made.id, rungs=rungs), seen=False)
    return _code(call, login, code, later=isinstance(known, Refused))


async def set_rungs(call: PageRequest) -> Response:
    """Register a colleague for rungs."""
    account, page = (await _colleague(call)).id, _page_of(call)
    if (asks := await roster.step_up(call, page)) is not None:
        return asks
    return await roster.make(call, SetPerson(account=account, rungs=_rungs(call)), partial(_person, call), page, "rungs")


async def set_head(call: PageRequest) -> Response:
    """Mark a colleague as head, or not. Nobody takes the mark from themselves: an agency that has a head keeps one."""
    one, head = await _colleague(call), call.form.get("head") == "yes"
    account = one.id
    if account == call.account.id:
        return await _person(call, {"top": "error.self"}, 422)
    if head and call.form.get(SURE) != YES:
        key, back = call.form.get("key", ""), f"/agency/person/{account}"
        return call.page("head.html", here=back, login=one.login, key=key)
    if (asks := await roster.step_up(call, f"/agency/person/{account}")) is not None:
        return asks
    await _set_head(call, account, head)
    return roster.sent(call, f"/agency/person/{account}", "head")


async def set_disabled(call: PageRequest) -> Response:
    """Switch a colleague off or on.

    Off: the mark of a head first, so that two heads who switch each other off are one after the other; then the roster; then the account.
    On: the account before the roster. So nobody is ever knocked who could not sign in, wherever an act breaks off; the page of a person
    whose account and roster differ says so and offers both ways.
    """
    account, off = (await _colleague(call)).id, call.form.get("off") == "yes"
    if account == call.account.id:
        return await _person(call, {"top": "error.self"}, 422)
    if (asks := await roster.step_up(call, f"/agency/person/{account}")) is not None:
        return asks
    if off:
        await _set_head(call, account, False)
    else:
        await _set_disabled(call, account, False)
    made = await roster.change(call, SetDisabled(account=account, disabled=off), seen=False)
    if isinstance(made, Refused) and (made.code, made.where) != ("unknown", "account"):  # one who is not in the roster is switched off too
        return await _person(call, roster.explained(made), roster.status(made))
    if off:
        await _set_disabled(call, account, True)
    return roster.sent(call, f"/agency/person/{account}", "off" if off else "on")


async def again(call: PageRequest) -> Response:
    """Replace an invitation that was not used, and show its code once."""
    one = await _colleague(call)
    if (asks := await roster.step_up(call, f"/agency/person/{one.id}")) is not None:
        return asks
    async with call.door.begin() as tx:
        await _still_head(call, tx)
        code = await invitations.again(tx, one.id, call.now)
        if code is not None:
            await _log(call, tx, one.id, Made.INVITED)
    if code is None:
        return await _person(call, {"top": "error.has-password"}, 409)
    signed("intake", "invited", one.id)
    return _code(call, one.login, code, later=False, call_now=True)


async def _colleague(call: PageRequest) -> Colleague:
    """Return the colleague of the path. Rejected 404: the reader is no head, or the agency has no such account."""
    roster.head_only(call)
    one = (await roster.staff(call)).get(known_id(call, "account"))
    if one is None:
        raise unknown("account", "id")
    return one


async def _still_head(call: PageRequest, tx: AsyncConnection) -> None:
    """Lock the agency's heads. Rejected 404: the reader is none any more; another head was faster."""
    if call.account.id not in await colleagues.lock_heads(tx, call.account.agency):
        roster.no_page()


async def _set_head(call: PageRequest, account: str, head: bool) -> None:
    async with call.door.begin() as tx:
        await _still_head(call, tx)
        if await colleagues.set_head(tx, call.account.agency, account, head):
            await _log(call, tx, account, Made.HEAD if head else Made.NO_HEAD)


async def _set_disabled(call: PageRequest, account: str, disabled: bool) -> None:
    async with call.door.begin() as tx:
        await _still_head(call, tx)
        if await colleagues.set_disabled(tx, call.account.agency, account, disabled):
            await _log(call, tx, account, Made.OFF if disabled else Made.ON)


async def _log(call: PageRequest, tx: AsyncConnection, account: str, *made: Made) -> None:
    who, door = call.account, call.door
    for one in made:
        await accounts.log(tx, door.keys, agency=who.agency, account=account, made=one, by=who.id, drill=not call.pages.by_day)


async def _person(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Return the page of one colleague."""
    one, found, here = await _colleague(call), await roster.roster(call), _page_of(call)
    member = next((m for m in found.people if m.account == one.id), None) if found is not None else None
    more = {"one": one, "member": member, "action": here, "done": roster.done(call, here), "rungs": ladder_of(call)}
    return roster.show(call, "person.html", found, {}, errors or {}, status, **more)


def _page_of(call: PageRequest) -> str:
    """Return the path of the page of the colleague."""
    return f"/agency/person/{known_id(call, 'account')}"


async def _invite(call: PageRequest, values: Fields | None = None, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Return the form for an invitation."""
    roster.head_only(call)
    return roster.show(call, "invite.html", None, values or {}, errors or {}, status, rungs=ladder_of(call))


def _code(call: PageRequest, login: str, code: str, *, later: bool, call_now: bool = False) -> Response:
    """Return the page that shows a code, this once. later: the rungs could not be registered. call_now: it ends within a call."""
    where = f"{call.pages.inbox_url.rstrip('/')}/invitation"
    picture = segno.make(where, micro=False).svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=False)
    values: dict[str, Any] = {"login": login, "code": code, "later": later, "call_now": call_now, "where": where, "picture": picture}
    return call.page("code.html", here="/agency", **values)


def _rungs(call: PageRequest) -> tuple[str, ...]:
    return tuple(rung for rung in ladder_of(call) if call.form.get(f"rung.{rung}"))


async def accept(call: PageRequest) -> Response:
    """Store the password of whoever has the code, once. The hash is made only for a good code, so guesses cost nothing."""
    entered = call.form
    if errors := roster.wrong_password(entered, "code"):
        return await _invited(call, errors, 422)
    code, door = entered["code"][:100], call.door
    async with door.stranger() as tx:
        account = await invitations.invited(tx, code, await clock.now(tx))
    if account is None:
        door.journal.note(Kind.REFUSED, security_event.UNKNOWN, "code", store.place(door.keys, call.request))
        return await _invited(call, {"code": "error.invitation"}, 422)
    async with call.pages.known_hashing:
        hashed = await run_in_threadpool(passwords.hashed, entered["new"])
    async with door.begin() as tx:
        used = await invitations.use(tx, account.id, code, hashed)
        if used:
            await security_events.put(tx, Event(kind=Kind.PASSWORD_SET, who=security_event.account(account.id), detail="invitation"))
    if not used:
        return await _invited(call, {"code": "error.invitation"}, 422)
    signed("intake", "password", account.id)
    return call.page("set.html", here="/signin", login=account.login)


async def _invited(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Return the form for the code and the new password."""
    shown = {field: call.say.first(text, "error.refused") for field, text in (errors or {}).items()}
    values = {"errors": shown, "code": call.form.get("code", "")[:100], "least": passwords.PASSWORD_MIN}
    return call.page("invited.html", here="/invitation", status=status, **values)


_ONE = "/agency/person/{id}"
ROUTES = (
    *form("/agency/invite", _invite, invite),
    *get(_ONE, _person),
    *post(f"{_ONE}/rungs", set_rungs, back="/agency"),
    *post(f"{_ONE}/head", set_head, back="/agency"),
    *post(f"{_ONE}/off", set_disabled, back="/agency"),
    *post(f"{_ONE}/again", again, back="/agency"),
    *form("/invitation", _invited, accept, strangers=True),
)
