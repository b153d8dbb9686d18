"""Pages for signing in and out, for choosing the language, and for what a browser whose session rests may still do: say “I have seen it”.

The rules are in `accounts.rules`, the SQL in `accounts.store`. A session rests while the shift goes on in which its owner signed in, after
an hour without a page. The sign-in page then lists the numbers of the cases that wait, which the message that led there names too, and
nothing about them; the form acknowledges them, as a key on the telephone does, and nothing else.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Kind as Capacity
from referral.domain.case_number import case_number
from referral.domain.durations import SECOND_US
from referral.domain.events import Via, Word
from referral.errors import Rejected
from referral.runtime import passwords
from referral.runtime.observe import signed
from referral.runtime.passwords import LANGUAGES
from referral.runtime.postgres import clock, security_events
from referral.wire import security_event
from referral.wire.security_event import Event, Kind
from services.intake import store as store_of_cases
from services.intake.accounts import rules, store
from services.intake.accounts.basic_auth import sprayed
from services.intake.accounts.store import Account
from services.intake.casefile import access
from services.intake.commands import act_on_case, idempotency
from services.intake.commands.act_on_case import Post
from services.intake.context import ANSWER_S, in_time, tick
from services.intake.model import Offer
from services.intake.pages import confirmation, forms, relative_time
from services.intake.pages.forms import Carried
from services.intake.pages.offer import possible
from services.intake.pages.page_request import PageRequest, form, post
from services.intake.pages.session import Visit

SEEN = Word.ACKNOWLEDGE.value
LONGEST_S = ANSWER_S + rules.LINE_US / SECOND_US
"""Seconds that an attempt waits at most: for its turn, and for the second half of its work."""


async def sign_in_page(call: PageRequest) -> Response:
    """Return the sign-in form; redirect a person who is signed in."""
    to = forms.here(call.request.query_params.get("to", ""))
    if call.visit.account is not None:
        return RedirectResponse(to, status_code=303)
    left = "out" in call.request.query_params
    say = call.say
    notice = say("signin.out") if left else say("signin.again") if call.visit.ended else ""
    sent = confirmation.taken(call, "/signin")
    return _sign_in_form(call, to, notice="" if sent else notice, sent=sent, waits=await _unseen(call))


async def sign_in(call: PageRequest) -> Response:
    """Check login and password: the same work and the same words whether the login exists or not. An attempt from a browser that we do not
    know waits for its turn in the login's line."""
    say = call.say
    login, password = call.form.get("login", "").strip().lower(), call.form.get("password", "")
    missing = {field: say("signin.missing") for field, value in (("login", login), ("password", password)) if not value}
    if missing:
        return _sign_in_form(call, forms.here(call.form.get("to", "")), status=422, errors=missing)
    attempt = await in_time(_reserve(call, login[: passwords.LOGIN_MAX]))
    if isinstance(attempt, Response):
        return attempt
    await asyncio.sleep(attempt.wait_s)
    return await in_time(_check(call, attempt, password))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt that may check its password. known: the account, and its hash. now: when it was counted, µs UTC."""

    login: str
    subject: rules.Subject
    known: tuple[store.Account, str] | None
    now: int
    wait_s: float


async def _reserve(call: PageRequest, login: str) -> _Attempt | Response:
    """Count an attempt and give it its turn, or return the page that refuses it."""
    door, mark = call.door, call.pages.cookies.get(call.request, "device")
    ours = store.is_ours(door.keys, login, mark)
    stranger = store.subject(door.keys, login, _address(call))
    if ours:  # it does not wait among strangers
        return await _count(call, login, stranger)
    async with door.lanes:
        seconds, account = door.full_lines.refused(stranger.login, tick())  # whoever waited behind the first one needs no database
        return _throttled(call, account, stranger, seconds) if seconds else await _count(call, login, stranger)


def _address(call: PageRequest) -> str:
    return call.request.client.host if call.request.client else ""


async def _count(call: PageRequest, login: str, stranger: rules.Subject) -> _Attempt | Response:
    """Count an attempt in the database. stranger: its digests, unless this browser is known."""
    door, mark = call.door, call.pages.cookies.get(call.request, "device")
    async with door.begin() as tx:
        now = await clock.now(tx)
        known_here = store.is_known(door.keys, login, mark, now)
        subject = store.browser(door.keys, login, mark, _address(call)) if known_here else stranger
        seconds, wait_s = await store.reserve_attempt(tx, subject, now)
        known = await store.by_login(tx, login)
    if not seconds:
        return _Attempt(login, subject, known, now, wait_s)
    account = known[0].id if known else ""
    if wait_s > rules.LINE_US / SECOND_US:
        door.full_lines.note(subject.login, seconds, account, tick())
    return _throttled(call, account, subject, seconds)


def _throttled(call: PageRequest, account: str, subject: rules.Subject, seconds: int) -> Response:
    """Return the page that refuses an attempt unread. account: of the login; empty for none."""
    call.door.journal.refused(account, "page", subject.place, throttled=True)
    say = call.say
    time, number = relative_time.span(say, (seconds + 59) // 60 * 60 * SECOND_US), call.pages.help_number
    problem = say("signin.throttled.number", time=time, number=number) if number else say("signin.throttled", time=time)
    response = _sign_in_form(call, forms.here(call.form.get("to", "")), status=429, problem=problem)
    response.headers["Retry-After"] = str(seconds)
    return response


async def _check(call: PageRequest, attempt: _Attempt, password: str) -> Response:
    """Check the password of an attempt whose turn it is."""
    to, say, kept = forms.here(call.form.get("to", "")), call.say, forms.carried(call.form)
    door, known, subject = call.door, attempt.known, attempt.subject
    seen = known[0].id if known else ""
    async with call.pages.known_hashing if subject.known else call.pages.hashing:
        right = await run_in_threadpool(rules.matches, known[1] if known else None, password)
    if known is None or not right:
        await sprayed(door, attempt.now)
        door.journal.refused(seen, "password", subject.place)
        off = False
        if subject.known and known is None:  # only the account's own browser is told: others learn nothing about a login
            async with door.begin() as tx:
                off = await store.is_off(tx, attempt.login)
        return _sign_in_form(call, to, status=401, problem=say("signin.off" if off else "signin.wrong"))
    how = "page" if subject.known else "new-device"
    event = Event(kind=Kind.SIGNED_IN, who=security_event.account(seen), detail=how, place=subject.place)
    opened = await _let_in(call, event, subject, known, to, attempt.now, kept)
    return opened or _sign_in_form(call, to, status=401, problem=say("signin.wrong"))


async def _let_in(
    call: PageRequest, event: Event, subject: rules.Subject, known: tuple[store.Account, str], to: str, now: int, kept: Carried
) -> Response | None:
    """Start a session, and end the one that this browser had, whoever's it was. Return the redirect to the page that was asked for, or the
    page that sends the form which had to wait; None: the password was changed meanwhile. known: the account, and the hash that matched."""
    cookies, (account, hashed) = call.pages.cookies, known
    async with call.door.begin() as tx:
        if not await store.still_opens(tx, account.id, hashed):
            return None
        await store.forget_attempt(tx, subject, now)
        await store.end_session(tx, cookies.get(call.request, "session").partition(".")[0])
        token, seal = await store.start_session(tx, account.id, now)
        await security_events.put(tx, event)
    signed("intake", "in", account.id, subject.place)
    response: Response = RedirectResponse(to, status_code=303)
    if kept.again:
        texts = [text for name, text in kept.fields.items() if name.startswith("need.") and text.strip()]
        visit = Visit(token, account, seal, account.language, now)
        response = call.pages.render.page("resume.html", visit, here=to, again=kept.again, fields=kept.fields, texts=texts)
    cookies.put(response, "session", f"{token}.{rules.seen_mark(seal, now)}")
    mark = store.device(call.door.keys, account.login, now, _address(call))
    cookies.put(response, "device", mark, rules.DEVICE_US // SECOND_US)
    cookies.drop(response, "visit")
    cookies.speak(response, account.language)  # so that the page on which the session ends uses it too
    return response


def _sign_in_form(
    call: PageRequest,
    to: str,
    *,
    status: int = 200,
    problem: str = "",
    notice: str = "",
    errors: Mapping[str, str] | None = None,
    sent: tuple[str, int] | None = None,
    waits: Sequence[Offer] = (),
) -> Response:
    """Return the sign-in form. sent, waits: for a session that rests; its owner need not type the login again."""
    former = call.visit.former
    known = former.account.login if former is not None and former.rests else ""
    return call.page(
        "signin.html",
        here=to,
        status=status,
        to=to,
        login=call.form.get("login", known)[: passwords.LOGIN_MAX],
        problem=problem,
        notice=notice,
        errors=errors or {},
        sent=sent,
        waits=waits,
        rests=former.form if former is not None else "",
        shown=call.visit.now,
        key=secrets.token_hex(16),
        carried=forms.carried(call.form).hidden,
        number=call.pages.help_number,
    )


async def sign_out(call: PageRequest) -> Response:
    """Sign out: delete the session from the database, so that a copy of its cookie is worth nothing, and make the browser forget pages that
    it still holds."""
    async with call.door.begin() as tx:
        await store.end_session(tx, call.visit.token)
        if call.visit.account is not None:
            await security_events.put(tx, Event(kind=Kind.SIGNED_OUT, who=security_event.account(call.visit.account.id)))
    if call.visit.account is not None:
        signed("intake", "out", call.visit.account.id)
    response = RedirectResponse("/signin?out=1", 303, {"Clear-Site-Data": '"cache"'})
    call.pages.cookies.drop(response, "session")
    return response


async def choose_language(call: PageRequest) -> Response:
    """Change the language: store it with the account, and in the browser for the sign-in page."""
    chosen = call.form.get("language", "")
    if chosen in LANGUAGES and call.visit.account is not None:
        async with call.door.begin() as tx:
            await store.speak(tx, call.visit.account.id, chosen)
    to = forms.here(call.form.get("from", ""))
    open_ = call.visit.account is not None or to == "/invitation"
    response = RedirectResponse(to if open_ else f"/signin?to={to}", status_code=303)
    call.pages.cookies.speak(response, chosen)
    return response


def _own(account: Account) -> Permit:
    return access.own(Who(Capacity.STAFF, account.agency, account.id))


async def _waiting(call: PageRequest) -> tuple[Offer, ...]:
    """Return the offers that the owner of the resting session may acknowledge, the next limit first; none without such a session."""
    former = call.visit.former
    if former is None or not former.rests:
        return ()
    async with call.door.begin() as tx:
        offers = await store_of_cases.open_offers(tx, _own(former.account))
    return tuple(offer for offer in offers if offer.kind != "NOTIFY" and SEEN in possible(offer))


async def _unseen(call: PageRequest) -> Sequence[Offer]:
    """Return the first of these offers of each case for the sign-in page, without those whose answer routing has not decided yet."""
    first: dict[str, Offer] = {}
    for offer in await _waiting(call):
        assert call.visit.former is not None
        async with call.door.begin() as tx:
            answers = await store_of_cases.answers(tx, _own(call.visit.former.account), offer.offer_id)
        if not any(answer.word == SEEN and answer.became is None for answer in answers):
            first.setdefault(case_number(offer.case_id), offer)
    return tuple(first.values())


async def acknowledge(call: PageRequest) -> Response:
    """Acknowledge what the sign-in page listed, once for each form; what came after that page was made stays as it is."""
    door, key, shown = call.door, call.form.get("key", ""), call.form.get("shown", "")
    until = int(shown) if shown.isascii() and shown.isdecimal() and len(shown) <= 18 else 0
    former, at = call.visit.former, 0
    for offer in await _waiting(call):
        assert former is not None
        who = former.account
        if offer.opened_at > until:
            continue
        once = idempotency.form_digest(door.keys, who.agency, who.id, f"{key} {offer.offer_id}")
        try:
            async with door.begin() as tx:
                body = act_on_case.answer(SEEN, via=Via.WEB)
                sender = Post(kind=Capacity.STAFF, agency=who.agency, account=who.id, key=once)
                at = (await act_on_case.respond(tx, door, sender, offer.offer_id, body)).received_at
        except Rejected:  # meanwhile it ended, or a colleague was quicker: the others still count
            continue
    to = confirmation.link("/signin", SEEN, at, call.visit.token) if at else "/signin"
    return RedirectResponse(to, status_code=303)


ROUTES = (
    *form("/signin", sign_in_page, sign_in, strangers=True, pause_s=LONGEST_S),
    *post("/signout", sign_out),
    *post("/seen", acknowledge, lapsed=acknowledge),
    *post("/language", choose_language, strangers=True),
)
