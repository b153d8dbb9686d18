"""Ask the notifier for the reader's agency, send it one change, and say what became of that. The pages beside it call nothing else."""

from __future__ import annotations

import hmac
import re

from starlette.responses import RedirectResponse, Response

from referral.domain.durations import DAY_US
from referral.domain.inputs import ROSTER_BOOK
from referral.errors import Rejected
from referral.wire.roster import Act, Ask, Change, Done, Overview, Refused
from services.intake import notifier_client
from services.intake.accounts import colleagues
from services.intake.accounts.colleagues import Colleague
from services.intake.pages.page_request import PageRequest

HOLES_US = 14 * DAY_US
"""Time ahead in which holes are looked for (P): a rota is made by the fortnight."""
AWAY = Refused(code="away")
"""The notifier did not answer."""
_KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)


def head_only(call: PageRequest) -> None:
    """Raise Rejected 404, as for a page that does not exist, unless the reader is a head."""
    if not call.visit.who.head:
        raise Rejected("unknown-page", "path", "there is no such page", status=404)


async def roster(call: PageRequest, begins: int, ends: int) -> Overview | None:
    """Return the roster of the reader's agency. None: the notifier is away, or this stack names none."""
    notifier = call.pages.door.notifier
    if notifier is None:
        return None
    return await notifier_client.roster(notifier, call.pages.door.keys, Ask(agency=call.visit.who.agency, begins=begins, ends=ends))


async def staff(call: PageRequest) -> dict[str, Colleague]:
    """Return the accounts of the reader's agency by id."""
    async with call.pages.door.begin() as tx:
        return await colleagues.of_agency(tx, call.visit.who.agency)


def is_key(key: str) -> bool:
    """Return whether a form's key is one that a page of ours can have made."""
    return _KEY.fullmatch(key) is not None


async def change(call: PageRequest, act: Act, *, seen: bool = True) -> Done | Refused:
    """Change the roster of the reader's agency, once for each form. seen: refuse it if the roster has changed since the page was drawn."""
    door, who = call.pages.door, call.visit.who
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
        raise Rejected("unknown-page", "path", "there is no such page", status=404)
    return AWAY if answer is None else answer


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
