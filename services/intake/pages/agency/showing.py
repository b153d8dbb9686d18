"""Show a form of the agency's pages: what was written, the errors beside their fields, and what makes a second sending safe."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from starlette.responses import Response

from referral.wire.roster import Overview, Refused
from services.intake.pages.agency import asking
from services.intake.pages.page_request import PageRequest

_FIELDS = {
    "account": "account",
    "rung": "rung",
    "until": "until",
    "since": "since",
    "taker": "taker",
    "starts": "shift",
    "address": "address",
    "code": "code",
}
"""Field of the notifier → field of the form. A time without one of these is explained at `time`, all others at the top."""
_TIMES = ("backwards", "malformed", "no-such-time", "too-far")
"""Refusals about the time that was written."""


def show(
    call: PageRequest,
    template: str,
    found: Overview | None,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    status: int,
    **more: object,
) -> Response:
    """Return a page with a form. errors: field → key of words.yaml; `top` belongs to no field.

    After an answer that did not come, the form keeps its key and version, so that the change counts once; else both are new.
    """
    say = call.pages.render.say(call.visit)
    again = status == 503 and bool(call.form)
    return call.pages.render.page(
        template,
        call.visit,
        here=here(call),
        status=status,
        values=values,
        errors={field: say.first(text, "error.refused") for field, text in errors.items()},
        key=call.form.get("key", "") if again else secrets.token_hex(16),
        seen=call.form.get("seen", "") if again or found is None else found.version,
        head=call.visit.who.head,
        **more,
    )


def away(call: PageRequest, title: str) -> Response:
    """Return the page that says that the notifier does not answer. title: key of words.yaml."""
    return call.pages.render.page("away.html", call.visit, here=here(call), status=503, title=title)


def refused(why: Refused) -> dict[str, str]:
    """Return field → key of words.yaml for what the notifier refused."""
    field = _FIELDS.get(why.where, "time" if why.code in _TIMES else "top")
    return {field: f"error.{why.code}"}


def missing(form: Mapping[str, str], fields: Sequence[str]) -> dict[str, str]:
    """Return the errors of fields that are empty."""
    return {field: "signin.missing" for field in fields if not form.get(field)}


def here(call: PageRequest) -> str:
    """Return the page to which a change of language leads back."""
    return "/agency" if call.visit.who.head and not call.request.url.path.startswith("/me") else "/me"


async def roster(call: PageRequest) -> Overview | None:
    """Return the roster of the reader's agency, as of now."""
    return await asking.roster(call, call.visit.now, call.visit.now + 1)
