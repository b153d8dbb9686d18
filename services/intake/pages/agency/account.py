"""The page "My account": addresses, tests, shifts, swaps, absences, password, sessions and calendar of the reader alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from referral.domain.durations import DAY_US
from referral.runtime import passwords
from referral.runtime.observe import signed
from referral.runtime.postgres import security_events
from referral.wire import security_event
from referral.wire.roster import (
    Act,
    AnswerSwap,
    ConfirmAddress,
    EndAddress,
    Member,
    OfferSwap,
    Overview,
    SetAddress,
    TakeOver,
    Try,
)
from referral.wire.security_event import Event, Kind
from services.intake.accounts import colleagues, invitations, store
from services.intake.pages.agency import roster, week
from services.intake.pages.forms import Fields
from services.intake.pages.page_request import PageRequest, form, get, post

AHEAD_US = 90 * DAY_US
"""Time ahead for which a person sees the own shifts (P)."""
SHOWN = 30
"""Most shifts on the page (ours): a month of days; the calendar has all."""
CHANNELS = ("email", "sms", "voice")


async def ask_address(call: PageRequest) -> Response:
    """Send a code to a new address."""
    channel = _channel(call)
    if errors := roster.missing(call.form, ("address",)):
        return await _page(call, {f"{channel}-{field}": text for field, text in errors.items()}, 422)
    if (asks := await roster.step_up(call, "/me")) is not None:
        return asks
    return await _act(call, SetAddress(account=call.account.id, channel=channel, address=call.form["address"]), "code", channel)


async def confirm_address(call: PageRequest) -> Response:
    """Use a new address, if its code is right."""
    channel = _channel(call)
    act = ConfirmAddress(account=call.account.id, channel=channel, code=call.form.get("code", "").replace(" ", "")[:20])
    return await _act(call, act, "address", channel)


async def end_address(call: PageRequest) -> Response:
    """End an address, a day from now."""
    channel = _channel(call)
    if (asks := await roster.step_up(call, "/me")) is not None:
        return asks
    return await _act(call, EndAddress(account=call.account.id, channel=channel), "address-ended", channel)


async def test(call: PageRequest) -> Response:
    """Send a message that is marked as a test."""
    channel = _channel(call)
    return await _act(call, Try(account=call.account.id, channel=channel), "test", channel)


async def take_over(call: PageRequest) -> Response:
    """Put the reader on duty now, instead of whoever is."""
    act = TakeOver(account=call.account.id, rung=call.form.get("rung", ""))
    return await roster.make(call, act, partial(_take_over, call), "/me", "taken-over")


async def offer_swap(call: PageRequest) -> Response:
    """Offer a colleague a shift. Nothing changes until the colleague takes it."""
    rung, _, hours = call.form.get("shift", "").partition(" ")
    starts, _, ends = hours.partition(" ")
    errors = roster.missing(call.form, ("shift", "taker"))
    if not errors and not _ahead(starts, ends, call.now):
        errors = {"shift": "error.shift"}
    if errors:
        return await _swap(call, call.form, errors, 422)
    act = OfferSwap(giver=call.account.id, taker=call.form["taker"], rung=rung, starts=int(starts), ends=int(ends))
    return await roster.make(call, act, partial(_swap, call, call.form), "/me", "swap")


async def answer_swap(call: PageRequest) -> Response:
    """Take or refuse offered hours, or withdraw the own offer."""
    word = call.form.get("word", "")
    return await _act(call, AnswerSwap(swap=call.form.get("swap", ""), word=word), f"swap-{word.lower()}", "top")


async def change_password(call: PageRequest) -> Response:
    """Change the reader's password; all other sessions end. Wrong tries count as they do at sign-in."""
    entered, who, door = call.form, call.account, call.door
    if errors := roster.wrong_password(entered, "password"):
        return await _page(call, errors, 422)
    found = await roster.proof(call)
    if isinstance(found, str):
        return await _page(call, {"password": found}, 429 if found == "error.throttled" else 422)
    async with call.pages.known_hashing:
        hashed = await run_in_threadpool(passwords.hashed, entered["new"])
    async with door.begin() as tx:
        if still := await store.still_opens(tx, who.id, found.hashed):
            await store.forget_attempt(tx, found.subject, call.now)
            await colleagues.set_password(tx, who.id, hashed, call.visit.token)
            await security_events.put(tx, Event(kind=Kind.PASSWORD_SET, who=security_event.account(who.id), detail="own"))
    if not still:  # somebody else was quicker, and ended this session with it
        return await _page(call, {"password": "error.wrong-password"}, 422)
    signed("intake", "password", who.id, found.subject.place)
    return roster.sent(call, "/me", "password")


async def end_sessions(call: PageRequest) -> Response:
    """End all sessions of the reader but this one."""
    if (asks := await roster.step_up(call, "/me")) is not None:
        return asks
    async with call.door.begin() as tx:
        await colleagues.end_others(tx, call.account.id, call.visit.token)
    return roster.sent(call, "/me", "sessions")


async def make_feed(call: PageRequest) -> Response:
    """Make a new address of the reader's calendar, and show it this once."""
    async with call.door.begin() as tx:
        secret = await invitations.make_feed(tx, call.account.id, call.now)
    address = f"{call.pages.inbox_url.rstrip('/')}/shifts/{secret}.ics"
    return call.page("feed.html", here="/me", address=address)


async def end_feed(call: PageRequest) -> Response:
    """End the address of the reader's calendar."""
    async with call.door.begin() as tx:
        await invitations.end_feed(tx, call.account.id)
    return roster.sent(call, "/me", "feed-ended")


async def _act(call: PageRequest, act: Act, word: str, field: str) -> Response:
    """Send a change that does not depend on what the page displayed. field: where an error of it belongs."""

    async def again(errors: dict[str, str], status: int) -> Response:
        at = {name: f"{field}-{name}" if field in CHANNELS and name != "top" else "top" for name in errors}
        return await _page(call, {at[name]: text for name, text in errors.items()}, status)

    return await roster.make(call, act, again, "/me", word, seen=False)


async def page(call: PageRequest) -> Response:
    """Return the page."""
    return await _page(call)


async def _page(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    who, now = call.account, call.now
    found, names = await roster.roster(call, now, now + AHEAD_US), await roster.staff(call)
    async with call.door.begin() as tx:
        sessions = await colleagues.sessions(tx, who.id, call.visit.token, now)
        feed = await invitations.feed_since(tx, who.id)
    me = _me(found, who.id)
    return roster.show(
        call,
        "account.html",
        found,
        call.form if errors else {},
        errors or {},
        status,
        me=me,
        done=roster.done(call, "/me"),
        channels=CHANNELS,
        there={} if me is None else {one.channel: one for one in me.contacts if not one.waits},
        waits={} if me is None else {one.channel: one for one in me.contacts if one.waits},
        shifts=_shifts(found, who.id),
        # Those at which somebody else than the reader is on duty, or nobody.
        rungs=[] if me is None or found is None else [r for r in me.rungs if week.on_duty(found.spans, r, now) != (who.id,)],
        absences=[] if found is None else [r for r in found.rows if (r.part, r.account) == ("absence", who.id) and r.ends > now],
        swaps=[] if found is None else [one for one in found.swaps if who.id in (one.giver, one.taker)],
        login=roster.logins(names),
        sessions=sessions,
        feed=feed,
        least=passwords.PASSWORD_MIN,
    )


def _shifts(found: Overview | None, account: str) -> list[tuple[str, int, int]]:
    """Return (rung, begin, end) of the shifts that the page shows."""
    return [] if found is None else week.by_shift(found.rows, found.spans, account)[:SHOWN]


def _me(found: Overview | None, account: str) -> Member | None:
    return None if found is None else next((one for one in found.people if one.account == account), None)


def _ahead(starts: str, ends: str, now: int) -> bool:
    """Return whether two texts are instants, µs UTC, of a shift that the page can have offered: not over, and begun within AHEAD_US."""
    if not all(text.isascii() and text.isdecimal() and len(text) < 19 for text in (starts, ends)):
        return False
    return now < int(ends) and int(starts) <= now + AHEAD_US and int(starts) < int(ends)


def _channel(call: PageRequest) -> str:
    channel = call.form.get("channel", "")
    if channel not in CHANNELS:
        roster.no_page("channel")
    return channel


async def _take_over(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Ask once whether the reader takes over now."""
    found, who = await roster.roster(call), call.account
    if found is None and status == 200:
        return roster.away(call, "takeover.title")
    rung = call.form.get("rung") or call.request.query_params.get("rung", "")
    me = _me(found, who.id)
    if found is not None and (me is None or rung not in me.rungs):
        roster.no_page("rung")
    login = roster.logins(await roster.staff(call))
    there = [] if found is None else [login(one) for one in week.on_duty(found.spans, rung, call.now) if one != who.id]
    return roster.show(call, "takeover.html", found, {}, errors or {}, status, rung=rung, there=there)


async def _swap(call: PageRequest, values: Fields | None = None, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Return the form that offers a colleague a shift."""
    who, now = call.account, call.now
    found, names = await roster.roster(call, now, now + AHEAD_US), await roster.staff(call)
    if found is None and status == 200:
        return roster.away(call, "swap.title")
    shifts, known = _shifts(found, who.id), () if found is None else found.people
    rungs = {rung for rung, _, _ in ([] if found is None else week.by_shift(found.rows, found.spans, who.id))}
    people = [
        (one.account, names[one.account].login)
        for one in known
        if one.account in names and one.account != who.id and not one.disabled and rungs & set(one.rungs)
    ]
    people.sort(key=lambda one: one[1])
    return roster.show(call, "swap.html", found, values or {}, errors or {}, status, shifts=shifts, people=people)


ROUTES = (
    *get("/me", page),
    *post("/me/address", ask_address),
    *post("/me/code", confirm_address),
    *post("/me/end", end_address),
    *post("/me/test", test),
    *post("/me/password", change_password),
    *post("/me/sessions", end_sessions),
    *post("/me/feed", make_feed),
    *post("/me/nofeed", end_feed),
    *post("/me/answer", answer_swap),
    *form("/me/takeover", _take_over, take_over),
    *form("/me/swap", _swap, offer_swap),
)
