"""Ask for the reader's password before whatever takes messages away from somebody, or lets somebody in: a cookie alone does neither."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from referral.wire.security_event import Kind
from services.intake.accounts import rules, store
from services.intake.pages.agency import showing
from services.intake.pages.page_request import PageRequest

PASSWORD = "password"  # noqa: S105 - a field's name


@dataclass(frozen=True, slots=True)
class Proof:
    """A password that was right. hashed: what it was compared with; it may change at any time."""

    subject: rules.Subject
    hashed: str


async def proof(call: PageRequest) -> Proof | str:
    """Check the reader's password. Return the key of a text if it is not right; wrong tries count as they do at the sign-in."""
    who, door = call.visit.who, call.pages.door
    subject = store.known_subject(door.keys, who.login, f"session {who.id}")
    async with door.begin() as tx:
        seconds, _ = await store.reserve_attempt(tx, subject, call.visit.now)
        known = await store.by_login(tx, who.login)
    if seconds:
        door.journal.refused(who.id, "page", subject.place, throttled=True)
        return "error.throttled"
    async with call.pages.known_hashing:
        right = await run_in_threadpool(rules.matches, known[1] if known else None, call.form[PASSWORD])
    if known is None or not right:
        door.journal.refused(who.id, "password", subject.place)
        return "error.wrong-password"
    return Proof(subject, known[1])


async def question(call: PageRequest, back: str) -> Response | None:
    """Return the page that asks for the password, for a form that came without the right one; None: it came with it.

    back: path of the page of the form. Nothing is stored: the page carries what was entered.
    """
    if not call.form.get(PASSWORD):
        place = store.place(call.pages.door.keys, call.request)
        call.pages.door.journal.note(Kind.DENIED, f"account:{call.visit.who.id}", "step-up", place)
        return _ask(call, back, {}, 403)
    found = await proof(call)
    if isinstance(found, str):
        return _ask(call, back, {PASSWORD: found}, 429 if found == "error.throttled" else 422)
    async with call.pages.door.begin() as tx:
        await store.forget_attempt(tx, found.subject, call.visit.now)
    return None


def _ask(call: PageRequest, back: str, errors: dict[str, str], status: int) -> Response:
    say = call.pages.render.say(call.visit)
    return call.pages.render.page(
        "step_up.html",
        call.visit,
        here=showing.here(call),
        status=status,
        errors={field: say(key) for field, key in errors.items()},
        action=call.request.url.path,
        entered={name: value for name, value in call.form.items() if name not in ("form", PASSWORD)},
        back_to=back,
    )
