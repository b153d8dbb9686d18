"""Authenticate a person by HTTP Basic, for commands that only a person may give: login and password come with the request, and no session
outlives it."""

from __future__ import annotations

import asyncio
import base64
import binascii

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from referral.domain.durations import SECOND_US
from referral.errors import Rejected
from referral.runtime import passwords
from referral.runtime.observe import signed
from referral.runtime.postgres import clock, security_events
from referral.wire import security_event
from referral.wire.security_event import SPRAYED, Event, Kind
from services.intake.accounts import rules, store
from services.intake.accounts.store import Account
from services.intake.context import IntakeContext, in_time, tick


async def person(door: IntakeContext, hashing: asyncio.Semaphore, request: Request) -> Account:
    """Return the account of a Basic Authorization header. Rejected 401: no header, or a wrong one. 429: too many attempts; the limits and
    the line of a login are those of the sign-in page."""
    login, password = _read(request.headers.get("authorization", ""))
    subject = store.subject(door.keys, login, request.client.host if request.client else "")
    now, known, wait_s = await in_time(_reserve(door, subject, login))
    await asyncio.sleep(wait_s)
    return await in_time(_checked(door, hashing, subject, now, known, password))


Known = tuple[Account, str] | None
"""An account, and its password's hash; None: nobody has this login."""


async def _reserve(door: IntakeContext, subject: rules.Subject, login: str) -> tuple[int, Known, float]:
    """Return when an attempt was counted, whose it is, and the seconds until its turn."""
    async with door.lanes:
        seconds, account = door.full_lines.refused(subject.login, tick())  # whoever waited behind the first one needs no database
        if seconds:
            raise _throttled(door, account, subject, seconds)
        async with door.begin() as tx:
            now = await clock.now(tx)
            seconds, wait_s = await store.reserve_attempt(tx, subject, now)
            known = await store.by_login(tx, login)
        account = known[0].id if known else ""
        if seconds and wait_s > rules.LINE_US / SECOND_US:
            door.full_lines.note(subject.login, seconds, account, tick())
    if seconds:
        raise _throttled(door, account, subject, seconds)
    return now, known, wait_s


def _throttled(door: IntakeContext, account: str, subject: rules.Subject, seconds: int) -> Rejected:
    """Return the refusal of an attempt whose password is not checked. account: of the login; empty for none."""
    door.journal.refused(account, "basic", subject.place, throttled=True)
    return Rejected("throttled", "Authorization", f"too many wrong passwords; try again in {seconds} s", status=429)


async def _checked(
    door: IntakeContext, hashing: asyncio.Semaphore, subject: rules.Subject, now: int, known: Known, password: str
) -> Account:
    """Check the password of an attempt whose turn it is."""
    seen = known[0].id if known else ""
    async with hashing:
        right = await run_in_threadpool(rules.matches, known[1] if known else None, password)
    if known is None or not right:
        await sprayed(door, now)
        door.journal.refused(seen, "basic", subject.place)
        raise Rejected("wrong-password", "Authorization", "no account has this login and password", status=401)
    async with door.begin() as tx:
        await store.forget_attempt(tx, subject, now)
        event = Event(kind=Kind.SIGNED_IN, who=security_event.account(seen), detail="basic", place=subject.place)
        await security_events.put(tx, event)
    signed("intake", "in", seen, subject.place)
    return known[0]


async def sprayed(door: IntakeContext, now: int) -> None:
    """Record that one password is tried at many logins, once in a quarter of an hour. The journal would count it among other refusals."""
    async with door.stranger() as tx:
        if await store.sprayed(tx, now):
            await security_events.put(tx, Event(kind=Kind.REFUSED, detail=SPRAYED))


def _read(header: str) -> tuple[str, str]:
    scheme, _, word = header.partition(" ")
    try:
        login, colon, password = base64.b64decode(word.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if scheme.lower() != "basic" or not colon or not login or not password:
        raise Rejected("no-person", "Authorization", "send Authorization: Basic with the login and password of a person", status=401)
    return login.strip().lower()[: passwords.LOGIN_MAX], password
