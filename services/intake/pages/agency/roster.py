"""Ask the notifier for the reader's agency, send it one change, and show the form of a change again where it was refused.

Whatever takes messages away from somebody, or lets somebody in, asks for the reader's password before: a cookie alone does neither.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from referral.domain.durations import DAY_US
from referral.domain.inputs import ROSTER_BOOK
from referral.errors import Rejected
from referral.runtime import passwords
from referral.wire.roster import Act, Ask, Change, Done, Overview, Refused
from referral.wire.security_event import Kind
from services.intake import notifier_client
from services.intake.accounts import colleagues, rules, store
from services.intake.accounts.colleagues import Colleague
from services.intake.pages.forms import Fields
from services.intake.pages.page_request import PageRequest

HOLES_US = 14 * DAY_US
"""Time ahead in which holes are looked for (P): a rota is made by the fortnight."""
AWAY = Refused(code="away")
"""The notifier did not answer."""
PASSWORD = "password"  # noqa: S105 - a field's name
Again = Callable[[dict[str, str], int], Awaitable[Response]]
"""Draws a form again: field → key of a text, and the status."""
_KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)
_FIELDS = {"starts": "shift"} | {name: name for name in ("account", "rung", "until", "since", "taker", "address", "code")}
"""Field of the notifier → field of the form. A time without one of these is explained at `time`, all others at the top."""
_TIMES = ("backwards", "malformed", "no-such-time", "too-far")
"""Refusals about the time that was written."""


def no_page(where: str = "path") -> NoReturn:
    """Raise Rejected 404, as for a page that does not exist."""
    raise Rejected("unknown-page", where, "there is no such page", status=404)


def head_only(call: PageRequest) -> None:
    """Raise Rejected 404, as for a page that does not exist, unless the reader is a head."""
    if not call.account.head:
        no_page()


async def roster(call: PageRequest, begins: int | None = None, ends: int | None = None) -> Overview | None:
    """Return the roster of the reader's agency, as of now, or between two instants.

    None: the notifier is away, or this stack names none.
    """
    notifier, begins = call.door.notifier, call.now if begins is None else begins
    if notifier is None:
        return None
    ask = Ask(agency=call.account.agency, begins=begins, ends=begins + 1 if ends is None else ends)
    return await notifier_client.roster(notifier, call.door.keys, ask)


async def staff(call: PageRequest) -> dict[str, Colleague]:
    """Return the accounts of the reader's agency by id."""
    async with call.door.begin() as tx:
        return await colleagues.of_agency(tx, call.account.agency)


def logins(names: Mapping[str, Colleague]) -> Callable[[str], str]:
    """Return the function from account to the name that colleagues know; for one that is gone, the first digits of its id."""
    return lambda account: names[account].login if account in names else account[:8]


def is_key(key: str) -> bool:
    """Return whether a form's key is one that a page of ours can have made."""
    return _KEY.fullmatch(key) is not None


async def change(call: PageRequest, act: Act, *, seen: bool = True) -> Done | Refused:
    """Change the roster of the reader's agency, once for each form. seen: refuse it if the roster has changed since the page was drawn."""
    door, who = call.door, call.account
    key, version = call.form.get("key", ""), call.form.get("seen", "")
    if not is_key(key) or (seen and not (version.isascii() and version.isdecimal() and len(version) < 19)):
        return Refused(code="stale", where="key")
    if door.notifier is None:
        return AWAY
    async with door.begin() as tx:
        await door.keys.book(tx, ROSTER_BOOK)  # the notifier logs the change under it, and may not write keys
    made = Change(
        agency=who.agency,
        by=who.id,
        key=door.keys.hmac("roster-form", who.id.encode(), key.encode()).hex(),
        act=act,
        seen=int(version) if seen else None,
    )
    answer = await notifier_client.change_roster(door.notifier, door.keys, made)
    if isinstance(answer, Refused) and answer.code == "forbidden":
        no_page()
    return AWAY if answer is None else answer


async def make(call: PageRequest, act: Act, again: Again, to: str, word: str, *, seen: bool = True) -> Response:
    """Make a change. Return the redirect to the page that says so, or the form again with what was refused. again: draws that form."""
    made = await change(call, act, seen=seen)
    if isinstance(made, Refused):
        return await again(explained(made), status(made))
    return sent(call, to, word)


def sent(call: PageRequest, to: str, word: str) -> Response:
    """Redirect to a page that says what was done. Nobody else can make such a link: it carries a MAC of this visit."""
    return RedirectResponse(f"{to}?done={word}.{_mark(call, to, word)}", status_code=303)


def done(call: PageRequest, to: str) -> str:
    """Return the key of the text in the link, "done.shift"; empty without one, or for a link that we did not make."""
    word, _, mark = call.request.query_params.get("done", "").partition(".")
    return f"done.{word}" if word and hmac.compare_digest(mark.encode(), _mark(call, to, word).encode()) else ""


def _mark(call: PageRequest, to: str, word: str) -> str:
    return hmac.new(call.visit.token.encode(), f"done {to} {word}".encode(), "sha256").hexdigest()[:32]


def status(refused: Refused) -> int:
    """Return the HTTP status of a refusal."""
    return 503 if refused.code == "away" else 409 if refused.code in ("stale", "gone", "not-theirs", "key-reused") else 422


def explained(refused: Refused) -> dict[str, str]:
    """Return field → key of a text for what the notifier refused."""
    return {_FIELDS.get(refused.where, "time" if refused.code in _TIMES else "top"): f"error.{refused.code}"}


def missing(form: Fields, fields: Sequence[str]) -> dict[str, str]:
    """Return the errors of fields that are empty."""
    return {field: "signin.missing" for field in fields if not form.get(field)}


def wrong_password(form: Fields, *more: str) -> dict[str, str]:
    """Return the errors of a new password that is entered twice. more: further fields that must not be empty."""
    if errors := missing(form, (*more, "new", "repeat")):
        return errors
    if form["new"] != form["repeat"]:
        return {"repeat": "error.repeat"}
    return {} if passwords.PASSWORD_MIN <= len(form["new"]) <= passwords.PASSWORD_MAX else {"new": "error.bad-password"}


def show(
    call: PageRequest,
    template: str,
    found: Overview | None,
    values: Fields,
    errors: Mapping[str, str],
    status: int,
    **more: object,
) -> Response:
    """Return a page with a form. errors: field → key of a text; `top` belongs to no field.

    After an answer that did not come, the form keeps its key and version, so that the change counts once; else both are new.
    """
    again = status == 503 and bool(call.form)
    return call.page(
        template,
        here=here(call),
        status=status,
        found=found,
        values=values,
        errors={field: call.say.first(text, "error.refused") for field, text in errors.items()},
        key=call.form.get("key", "") if again else secrets.token_hex(16),
        seen=call.form.get("seen", "") if again or found is None else found.version,
        **more,
    )


def away(call: PageRequest, title: str) -> Response:
    """Return the page that says that the notifier does not answer. title: key of a text."""
    return call.page("away.html", here=here(call), status=503, title=title)


def here(call: PageRequest) -> str:
    """Return the page to which a change of language leads back."""
    return "/agency" if call.account.head and not call.path.startswith("/me") else "/me"


@dataclass(frozen=True, slots=True)
class Proof:
    """A password that was right. hashed: what it was compared with; it may change at any time."""

    subject: rules.Subject
    hashed: str


async def proof(call: PageRequest) -> Proof | str:
    """Check the reader's password. Return the key of a text if it is not right; wrong tries count as they do at the sign-in."""
    who, door = call.account, call.door
    subject = store.known_subject(door.keys, who.login, f"session {who.id}")
    async with door.begin() as tx:
        seconds, _ = await store.reserve_attempt(tx, subject, call.now)
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


async def step_up(call: PageRequest, back: str) -> Response | None:
    """Return the page that asks for the password, for a form that came without the right one; None: it came with it.

    back: path of the page of the form. Nothing is stored: the page carries what was entered.
    """
    errors, status = dict[str, str](), 403
    if not call.form.get(PASSWORD):
        place = store.place(call.door.keys, call.request)
        call.door.journal.note(Kind.DENIED, f"account:{call.account.id}", "step-up", place)
    else:
        found = await proof(call)
        if isinstance(found, Proof):
            async with call.door.begin() as tx:
                await store.forget_attempt(tx, found.subject, call.now)
            return None
        errors, status = {PASSWORD: call.say(found)}, 429 if found == "error.throttled" else 422
    entered = {name: value for name, value in call.form.items() if name not in ("form", PASSWORD)}
    values = {"errors": errors, "action": call.path, "entered": entered, "back_to": back}
    return call.page("step_up.html", here=here(call), status=status, **values)
