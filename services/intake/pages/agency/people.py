"""Pages by which a head invites people, and changes what they are: rungs, head or not, switched off or on."""

from __future__ import annotations

from collections.abc import Mapping

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
from referral.wire.roster import Refused, SetDisabled, SetPerson
from services.intake.accounts import colleagues, invitations
from services.intake.accounts.colleagues import Colleague
from services.intake.accounts.store import Account
from services.intake.pages.agency import asking, showing, step_up
from services.intake.pages.agency.overview import ladder_of
from services.intake.pages.ask_once import SURE, YES
from services.intake.pages.page_request import PageRequest, known_id
from services.intake.store import unknown


async def invite_page(call: PageRequest) -> Response:
    """Return the form for an invitation."""
    asking.head_only(call)
    return await _invite(call, {}, {}, 200)


async def invite(call: PageRequest) -> Response:
    """Make an account without a password of anybody's, register it for its rungs, and show its code once.

    The roster comes second: a code is of use without it, and a person at a rung without an account would be of none. If the notifier does
    not answer, the page says so, and the head registers the rungs later.
    """
    asking.head_only(call)
    form, who = call.form, call.visit.who
    rungs, errors = _rungs(call), dict[str, str]()
    try:
        login = passwords.login(form.get("login", ""))
    except Rejected:
        login, errors = "", {"login": "error.login"}
    language = form.get("language", "")
    if language not in LANGUAGES:
        errors["language"] = "signin.missing"
    if errors:
        return await _invite(call, form, errors, 422)
    if (asks := await step_up.question(call, "/agency/invite")) is not None:
        return asks
    made = Account(call.pages.door.new_id(), login, who.agency, language, desk=False, head=bool(form.get("head")))
    async with call.pages.known_hashing:
        hashed = await run_in_threadpool(passwords.hashed, random_secret.made())
    async with call.pages.door.begin() as tx:
        await _still_head(call, tx)
        code = await invitations.add(tx, made, hashed, call.visit.now)
        if code is not None:
            await _log(call, tx, made.id, Made.INVITED, *((Made.HEAD,) if made.head else ()))
    if code is None:
        return await _invite(call, form, {"login": "error.login-taken"}, 409)
    signed("intake", "invited", made.id)
    known = await asking.change(call, SetPerson(account=made.id, rungs=rungs), seen=False)
    return _code(call, login, code, later=isinstance(known, Refused))


async def person_page(call: PageRequest) -> Response:
    """Return the page of one colleague."""
    return await _person(call)


async def set_rungs(call: PageRequest) -> Response:
    """Register a colleague for rungs."""
    return await _change(call, SetPerson(account=known_id(call, "account"), rungs=_rungs(call)), "rungs")


async def set_head(call: PageRequest) -> Response:
    """Mark a colleague as head, or not. Nobody takes the mark from themselves: an agency that has a head keeps one."""
    one, head = await _colleague(call), call.form.get("head") == "yes"
    account = one.id
    if account == call.visit.who.id:
        return await _person(call, {"top": "error.self"}, 422)
    if head and call.form.get(SURE) != YES:
        key, back = call.form.get("key", ""), f"/agency/person/{account}"
        return call.pages.render.page("head.html", call.visit, here=back, login=one.login, action=f"{back}/head", key=key, back_to=back)
    if (asks := await step_up.question(call, f"/agency/person/{account}")) is not None:
        return asks
    await _set_head(call, account, head)
    return asking.sent(call, f"/agency/person/{account}", "head")


async def set_disabled(call: PageRequest) -> Response:
    """Switch a colleague off or on.

    Off: the mark of a head first, so that two heads who switch each other off are one after the other; then the roster; then the account.
    On: the account before the roster. So nobody is ever knocked who could not sign in, wherever an act breaks off; the page of a person
    whose account and roster differ says so and offers both ways.
    """
    account, off = (await _colleague(call)).id, call.form.get("off") == "yes"
    if account == call.visit.who.id:
        return await _person(call, {"top": "error.self"}, 422)
    if (asks := await step_up.question(call, f"/agency/person/{account}")) is not None:
        return asks
    if off:
        await _set_head(call, account, False)
    else:
        await _set_disabled(call, account, False)
    made = await asking.change(call, SetDisabled(account=account, disabled=off), seen=False)
    if isinstance(made, Refused) and (made.code, made.where) != ("unknown", "account"):  # one who is not in the roster is switched off too
        return await _person(call, showing.refused(made), asking.status(made))
    if off:
        await _set_disabled(call, account, True)
    return asking.sent(call, f"/agency/person/{account}", "off" if off else "on")


async def again(call: PageRequest) -> Response:
    """Replace an invitation that was not used, and show its code once."""
    one = await _colleague(call)
    if (asks := await step_up.question(call, f"/agency/person/{one.id}")) is not None:
        return asks
    async with call.pages.door.begin() as tx:
        await _still_head(call, tx)
        code = await invitations.again(tx, one.id, call.visit.now)
        if code is not None:
            await _log(call, tx, one.id, Made.INVITED)
    if code is None:
        return await _person(call, {"top": "error.has-password"}, 409)
    signed("intake", "invited", one.id)
    return _code(call, one.login, code, later=False, call_now=True)


async def _colleague(call: PageRequest) -> Colleague:
    """Return the colleague of the path. Rejected 404: the reader is no head, or the agency has no such account."""
    asking.head_only(call)
    one = (await asking.staff(call)).get(known_id(call, "account"))
    if one is None:
        raise unknown("account", "id")
    return one


async def _still_head(call: PageRequest, tx: AsyncConnection) -> None:
    """Lock the agency's heads. Rejected 404: the reader is none any more; another head was faster."""
    if call.visit.who.id not in await colleagues.lock_heads(tx, call.visit.who.agency):
        raise Rejected("unknown-page", "path", "there is no such page", status=404)


async def _set_head(call: PageRequest, account: str, head: bool) -> None:
    async with call.pages.door.begin() as tx:
        await _still_head(call, tx)
        if await colleagues.set_head(tx, call.visit.who.agency, account, head):
            await _log(call, tx, account, Made.HEAD if head else Made.NO_HEAD)


async def _set_disabled(call: PageRequest, account: str, disabled: bool) -> None:
    async with call.pages.door.begin() as tx:
        await _still_head(call, tx)
        if await colleagues.set_disabled(tx, call.visit.who.agency, account, disabled):
            await _log(call, tx, account, Made.OFF if disabled else Made.ON)


async def _log(call: PageRequest, tx: AsyncConnection, account: str, *made: Made) -> None:
    who, door = call.visit.who, call.pages.door
    for one in made:
        await accounts.log(tx, door.keys, agency=who.agency, account=account, made=one, by=who.id, drill=not call.pages.by_day)


async def _change(call: PageRequest, act: SetPerson, word: str) -> Response:
    await _colleague(call)
    if (asks := await step_up.question(call, f"/agency/person/{act.account}")) is not None:
        return asks
    made = await asking.change(call, act)
    if isinstance(made, Refused):
        return await _person(call, showing.refused(made), asking.status(made))
    return asking.sent(call, f"/agency/person/{act.account}", word)


async def _person(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    one = await _colleague(call)
    account, found = one.id, await showing.roster(call)
    member = next((m for m in found.people if m.account == account), None) if found is not None else None
    name = call.pages.render.name(call.visit)
    return showing.show(
        call,
        "person.html",
        found,
        {},
        errors or {},
        status,
        one=one,
        mine=account == call.visit.who.id,
        action=f"/agency/person/{account}",
        done=asking.done(call, f"/agency/person/{account}"),
        away=found is None,
        half=member is not None and member.disabled != one.disabled,
        rungs=[(rung, name("rung", rung), member is not None and rung in member.rungs) for rung in ladder_of(call)],
        channels=[] if member is None else [(c.channel, c.tail, c.waits) for c in member.contacts],
    )


async def _invite(call: PageRequest, values: Mapping[str, str], errors: Mapping[str, str], status: int) -> Response:
    name = call.pages.render.name(call.visit)
    rungs = [(rung, name("rung", rung), bool(values.get(f"rung.{rung}"))) for rung in ladder_of(call)]
    return showing.show(call, "invite.html", None, values, errors, status, rungs=rungs)


def _code(call: PageRequest, login: str, code: str, *, later: bool, call_now: bool = False) -> Response:
    """Return the page that shows a code, this once. later: the rungs could not be registered. call_now: it ends within a call."""
    where = f"{call.pages.inbox_url.rstrip('/')}/invitation"
    picture = segno.make(where, micro=False).svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=False)
    return call.pages.render.page(
        "code.html",
        call.visit,
        here="/agency",
        login=login,
        code=code,
        later=later,
        call_now=call_now,
        where=where,
        picture=picture,
    )


def _rungs(call: PageRequest) -> tuple[str, ...]:
    return tuple(rung for rung in ladder_of(call) if call.form.get(f"rung.{rung}"))
