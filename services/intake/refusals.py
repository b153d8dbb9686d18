"""Record what is refused as a security event: by whom, and by which code. A case that is honey is recorded at once."""

from __future__ import annotations

from contextlib import suppress

from starlette.requests import Request

from referral.ca.names import Plane
from referral.errors import Rejected, Unavailable
from referral.runtime import peer
from referral.runtime.postgres import security_events
from referral.wire import security_event
from referral.wire.security_event import UNKNOWN, Kind
from services.intake.accounts import store
from services.intake.context import IntakeContext

BEFORE = frozenset({"wrong-token", "wrong-password", "throttled"})
"""Codes of refusals that are recorded where they are made."""
HIDDEN = frozenset(f"unknown-{what}" for what in ("case", "offer", "referral", "report", "task"))
"""Codes that also hide from somebody what belongs to another: asking for many of them is a search."""


def holder(request: Request) -> str:
    """Return the agency whose certificate the caller showed; UNKNOWN for none."""
    shown = peer.shown(request.scope).holder
    return security_event.agency(shown.name) if shown is not None and shown.plane is Plane.AGENCIES else UNKNOWN


async def noted(door: IntakeContext, request: Request, who: str, error: Exception) -> None:
    """Record a refusal. who: the account or agency; UNKNOWN: nobody has proved one. Other errors are none."""
    if not isinstance(error, Rejected) or error.code in BEFORE:
        return
    case_id, hidden = request.path_params.get("case_id"), error.code in HIDDEN
    place = store.place(door.keys, request)
    if hidden and case_id is not None and who != UNKNOWN:
        with suppress(Unavailable):
            async with door.begin() as tx:
                if await security_events.touched(tx, str(case_id), who, place):
                    return
    if error.status in (401, 403) or hidden:
        door.journal.note(Kind.DENIED, who, error.code, place)
