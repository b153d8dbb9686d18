"""The page "My account": addresses, tests, shifts, swaps, absences, password, sessions and calendar of the reader alone."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from referral.domain.durations import DAY_US
from referral.errors import Rejected
from referral.runtime import passwords
from referral.runtime.i18n import Words
from referral.runtime.observe import signed
from referral.runtime.postgres import security_events
from referral.wire import security_event
from referral.wire.roster import (
    Act,
    AnswerSwap,
    ConfirmAddress,
    Contact,
    EndAddress,
    Member,
    OfferSwap,
    Overview,
    Refused,
    SetAddress,
    TakeOver,
    Try,
)
from referral.wire.security_event import Event, Kind
from services.intake.accounts import colleagues, invitations, store
from services.intake.pages import relative_time
from services.intake.pages.agency import asking, showing, step_up, week
from services.intake.pages.page_request import PageRequest

AHEAD_US = 90 * DAY_US
"""Time ahead for which a person sees the own shifts (P)."""
SHOWN = 30
"""Most shifts on the page (ours): a month of days; the calendar has all."""
CHANNELS = ("email", "sms", "voice")


async def page(call: PageRequest) -> Response:
    """Return the page."""
    return await _page(call)


async def ask_address(call: PageRequest) -> Response:
    """Send a code to a new address."""
    channel = _channel(call)
    if errors := showing.missing(call.form, ("address",)):
        return await _page(call, {f"{channel}-{field}": text for field, text in errors.items()}, 422)
    if (asks := await step_up.question(call, "/me")) is not None:
        return asks
    return await _act(call, SetAddress(account=call.visit.who.id, channel=channel, address=call.form["address"]), "code", channel)


async def confirm_address(call: PageRequest) -> Response:
    """Use a new address, if its code is right."""
    channel = _channel(call)
    act = ConfirmAddress(account=call.visit.who.id, channel=channel, code=call.form.get("code", "").replace(" ", "")[:20])
    return await _act(call, act, "address", channel)


async def end_address(call: PageRequest) -> Response:
    """End an address, a day from now."""
    channel = _channel(call)
    if (asks := await step_up.question(call, "/me")) is not None:
        return asks
    return await _act(call, EndAddress(account=call.visit.who.id, channel=channel), "address-ended", channel)


async def test(call: PageRequest) -> Response:
    """Send a message that is marked as a test."""
    channel = _channel(call)
    return await _act(call, Try(account=call.visit.who.id, channel=channel), "test", channel)


async def take_over_page(call: PageRequest) -> Response:
    """Ask once whether the reader takes over now."""
    return await _take_over(call)


async def take_over(call: PageRequest) -> Response:
    """Put the reader on duty now, instead of whoever is."""
    made = await asking.change(call, TakeOver(account=call.visit.who.id, rung=call.form.get("rung", "")))
    if isinstance(made, Refused):
        return await _take_over(call, showing.refused(made), asking.status(made))
    return asking.sent(call, "/me", "taken-over")


async def swap_page(call: PageRequest) -> Response:
    """Return the form that offers a colleague a shift."""
    return await _swap(call, {}, {}, 200)


async def offer_swap(call: PageRequest) -> Response:
    """Offer a colleague a shift. Nothing changes until the colleague takes it."""
    rung, _, hours = call.form.get("shift", "").partition(" ")
    starts, _, ends = hours.partition(" ")
    errors = showing.missing(call.form, ("shift", "taker"))
    if not errors and not _ahead(starts, ends, call.visit.now):
        errors = {"shift": "error.shift"}
    if errors:
        return await _swap(call, call.form, errors, 422)
    who = call.visit.who.id
    made = await asking.change(call, OfferSwap(giver=who, taker=call.form["taker"], rung=rung, starts=int(starts), ends=int(ends)))
    if isinstance(made, Refused):
        return await _swap(call, call.form, showing.refused(made), asking.status(made))
    return asking.sent(call, "/me", "swap")


async def answer_swap(call: PageRequest) -> Response:
    """Take or refuse offered hours, or withdraw the own offer."""
    word = call.form.get("word", "")
    return await _act(call, AnswerSwap(swap=call.form.get("swap", ""), word=word), f"swap-{word.lower()}", "top")


async def change_password(call: PageRequest) -> Response:
    """Change the reader's password; all other sessions end. Wrong tries count as they do at sign-in."""
    form, who, door, now = call.form, call.visit.who, call.pages.door, call.visit.now
    errors = showing.missing(form, ("password", "new", "repeat"))
    if not errors and form["new"] != form["repeat"]:
        errors = {"repeat": "error.repeat"}
    if not errors and not passwords.PASSWORD_MIN <= len(form["new"]) <= passwords.PASSWORD_MAX:
        errors = {"new": "error.bad-password"}
    if errors:
        return await _page(call, errors, 422)
    found = await step_up.proof(call)
    if isinstance(found, str):
        return await _page(call, {"password": found}, 429 if found == "error.throttled" else 422)
    async with call.pages.known_hashing:
        hashed = await run_in_threadpool(passwords.hashed, form["new"])
    async with door.begin() as tx:
        if still := await store.still_opens(tx, who.id, found.hashed):
            await store.forget_attempt(tx, found.subject, now)
            await colleagues.set_password(tx, who.id, hashed, call.visit.token)
            await security_events.put(tx, Event(kind=Kind.PASSWORD_SET, who=security_event.account(who.id), detail="own"))
    if not still:  # somebody else was quicker, and ended this session with it
        return await _page(call, {"password": "error.wrong-password"}, 422)
    signed("intake", "password", who.id, found.subject.place)
    return asking.sent(call, "/me", "password")


async def end_sessions(call: PageRequest) -> Response:
    """End all sessions of the reader but this one."""
    if (asks := await step_up.question(call, "/me")) is not None:
        return asks
    async with call.pages.door.begin() as tx:
        await colleagues.end_others(tx, call.visit.who.id, call.visit.token)
    return asking.sent(call, "/me", "sessions")


async def make_feed(call: PageRequest) -> Response:
    """Make a new address of the reader's calendar, and show it this once."""
    async with call.pages.door.begin() as tx:
        secret = await invitations.make_feed(tx, call.visit.who.id, call.visit.now)
    address = f"{call.pages.inbox_url.rstrip('/')}/shifts/{secret}.ics"
    return call.pages.render.page("feed.html", call.visit, here="/me", address=address)


async def end_feed(call: PageRequest) -> Response:
    """End the address of the reader's calendar."""
    async with call.pages.door.begin() as tx:
        await invitations.end_feed(tx, call.visit.who.id)
    return asking.sent(call, "/me", "feed-ended")


async def _act(call: PageRequest, act: Act, word: str, field: str) -> Response:
    """Send a change that does not depend on what the page displayed. field: where an error of it belongs."""
    made = await asking.change(call, act, seen=False)
    if isinstance(made, Refused):
        errors = showing.refused(made)
        return await _page(
            call,
            {f"{field}-{name}" if field in CHANNELS and name != "top" else "top": text for name, text in errors.items()},
            asking.status(made),
        )
    return asking.sent(call, "/me", word)


async def _page(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    who, now, render = call.visit.who, call.visit.now, call.pages.render
    found, names = await asking.roster(call, now, now + AHEAD_US), await asking.staff(call)
    async with call.pages.door.begin() as tx:
        sessions = await colleagues.sessions(tx, who.id, call.visit.token, now)
        feed = await invitations.feed_since(tx, who.id)
    say, name = render.say(call.visit), render.name(call.visit)
    login = week.logins({account: one.login for account, one in names.items()})
    me = _me(found, who.id)
    there = {} if me is None else {c.channel: c for c in me.contacts if not c.waits}
    waits = {} if me is None else {c.channel: c for c in me.contacts if c.waits}
    shifts = [] if found is None else week.by_shift(found.rows, found.spans, who.id)
    return showing.show(
        call,
        "account.html",
        found,
        call.form if errors else {},
        errors or {},
        status,
        away=found is None,
        known=me is not None,
        done=asking.done(call, "/me"),
        addresses=[
            {
                "channel": channel,
                "tail": there[channel].tail if channel in there else "",
                "waits": waits[channel].tail if channel in waits else "",
                "last": len(there) == 1,
                "until": "" if channel not in there or there[channel].until is None else _until(there[channel], say, now),
                "usable": found is not None and ("sms" if channel == "voice" else channel) in found.channels,
                "tested": _tested(there, channel, say, now),
            }
            for channel in CHANNELS
        ],
        shifts=[(name("rung", rung), week.between(begins, ends, say)) for rung, begins, ends in shifts[:SHOWN]],
        rungs=[]
        if me is None or found is None
        else [(rung, name("rung", rung)) for rung in me.rungs if _may_take(found, rung, who.id, now)],
        absences=[
            (row.number, week.between(row.starts, row.ends, say))
            for row in (found.rows if found is not None else ())
            if (row.part, row.account) == ("absence", who.id) and row.ends > now
        ],
        swaps=[
            {
                "id": one.id,
                "mine": one.giver == who.id,
                "who": login(one.taker if one.giver == who.id else one.giver),
                "rung": name("rung", one.rung),
                "time": week.between(one.starts, one.ends, say),
            }
            for one in (found.swaps if found is not None else ())
            if who.id in (one.giver, one.taker)
        ],
        sessions=[(relative_time.clock(say, at, now), this) for at, this in sessions],
        feed="" if feed is None else relative_time.clock(say, feed, now),
        least=passwords.PASSWORD_MIN,
    )


def _until(contact: Contact, say: Words, now: int) -> str:
    """Return in words until when the address before it gets messages too, or until when this one does."""
    assert contact.until is not None
    return say("address.ends" if contact.ends else "address.former", time=relative_time.clock(say, contact.until, now))


def _tested(there: Mapping[str, Contact], channel: str, say: Words, now: int) -> str:
    """Return in words what became of the last test of a channel; empty without one."""
    contact = there.get(channel)
    if contact is None or contact.tested_at is None:
        return ""
    return say(f"test.{contact.outcome}", time=relative_time.clock(say, contact.tested_at, now))


def _me(found: Overview | None, account: str) -> Member | None:
    return None if found is None else next((one for one in found.people if one.account == account), None)


def _may_take(found: Overview, rung: str, account: str, now: int) -> bool:
    """Return whether somebody else than the reader is on duty at a rung, or nobody."""
    return week.on_duty(found.spans, rung, now) != (account,)


def _ahead(starts: str, ends: str, now: int) -> bool:
    """Return whether two texts are instants, µs UTC, of a shift that the page can have offered: not over, and begun within AHEAD_US."""
    if not all(text.isascii() and text.isdecimal() and len(text) < 19 for text in (starts, ends)):
        return False
    return now < int(ends) and int(starts) <= now + AHEAD_US and int(starts) < int(ends)


def _channel(call: PageRequest) -> str:
    channel = call.form.get("channel", "")
    if channel not in CHANNELS:
        raise Rejected("unknown-page", "channel", "there is no such page", status=404)
    return channel


async def _take_over(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    found, who, now = await showing.roster(call), call.visit.who, call.visit.now
    if found is None and status == 200:
        return showing.away(call, "takeover.title")
    rung = call.form.get("rung") or call.request.query_params.get("rung", "")
    me = _me(found, who.id)
    if found is not None and (me is None or rung not in me.rungs):
        raise Rejected("unknown-page", "rung", "there is no such page", status=404)
    login = week.logins({account: one.login for account, one in (await asking.staff(call)).items()})
    there = [] if found is None else [login(a) for a in week.on_duty(found.spans, rung, now) if a != who.id]
    name = call.pages.render.name(call.visit)
    return showing.show(call, "takeover.html", found, {}, errors or {}, status, rung=rung, rung_name=name("rung", rung), there=there)


async def _swap(call: PageRequest, values: Mapping[str, str], errors: Mapping[str, str], status: int) -> Response:
    who, now, render = call.visit.who, call.visit.now, call.pages.render
    found, names = await asking.roster(call, now, now + AHEAD_US), await asking.staff(call)
    if found is None and status == 200:
        return showing.away(call, "swap.title")
    say, name = render.say(call.visit), render.name(call.visit)
    shifts = [] if found is None else week.by_shift(found.rows, found.spans, who.id)
    choices = [
        (f"{rung} {begins} {ends}", f"{week.between(begins, ends, say)} · {name('rung', rung)}") for rung, begins, ends in shifts[:SHOWN]
    ]
    rungs = {rung for rung, _, _ in shifts}
    people = [
        (one.account, names[one.account].login)
        for one in (found.people if found is not None else ())
        if one.account in names and one.account != who.id and not one.disabled and rungs & set(one.rungs)
    ]
    return showing.show(call, "swap.html", found, values, errors, status, shifts=choices, people=sorted(people, key=lambda p: p[1]))
