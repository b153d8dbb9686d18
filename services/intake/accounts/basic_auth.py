"""Authenticate a person by HTTP Basic, for commands that only a person may give: login and password come with the request, and no session
outlives it."""

from __future__ import annotations

import asyncio
import base64
import binascii

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from referral.errors import Rejected
from referral.runtime import passwords
from referral.runtime.observe import signed
from referral.runtime.postgres import clock, security_events
from referral.wire import security_event
from referral.wire.security_event import Event, Kind
from services.intake.accounts import rules, store
from services.intake.accounts.store import Account
from services.intake.context import IntakeContext


async def person(door: IntakeContext, hashing: asyncio.Semaphore, request: Request) -> Account:
    """Return the account of a Basic Authorization header. Rejected 401: no header, or a wrong one. 429: too many attempts; the limits are
    those of the sign-in page."""
    login, password = _read(request.headers.get("authorization", ""))
    subject = store.subject(door.keys, login, rules.network(request.client.host if request.client else ""))
    async with door.stranger() as tx:
        now = await clock.now(tx)
        seconds, delay = await store.reserve_attempt(tx, subject, now)
        known = await store.by_login(tx, login)
    seen = known[0].id if known else ""
    if seconds:
        door.journal.refused(seen, "basic", subject.place, throttled=True)
        raise Rejected("throttled", "Authorization", f"too many wrong passwords; try again in {seconds} s", status=429)
    await asyncio.sleep(delay)
    async with hashing:
        right = await run_in_threadpool(rules.matches, known[1] if known else None, password)
    if known is None or not right:
        door.journal.refused(seen, "basic", subject.place)
        raise Rejected("wrong-password", "Authorization", "no account has this login and password", status=401)
    async with door.begin() as tx:
        await store.forget_attempt(tx, subject, now)
        event = Event(kind=Kind.SIGNED_IN, who=security_event.account(seen), detail="basic", place=subject.place)
        await security_events.put(tx, event)
    signed("intake", "in", seen, subject.place)
    return known[0]


def _read(header: str) -> tuple[str, str]:
    scheme, _, word = header.partition(" ")
    try:
        login, colon, password = base64.b64decode(word.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if scheme.lower() != "basic" or not colon or not login or not password:
        raise Rejected("no-person", "Authorization", "send Authorization: Basic with the login and password of a person", status=401)
    return login.strip().lower()[: passwords.LOGIN_MAX], password
