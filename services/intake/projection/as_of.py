# ruff: noqa: S608 - only constants of this file and of the store are put together
"""Read the offers of cases as they stood at a moment: each in its state of then, by the lines of the timeline. Nothing is stored for it.

An excluded sender sees its case so for ever (decision 0080), the holder of a duty whom one party alone excludes for half an hour (0071).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.events import How
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import SecretBox
from services.intake import store
from services.intake.casefile import sections
from services.intake.model import Asking, Offer
from services.intake.projection.offers import ended
from services.intake.projection.timeline import Line

OPEN = frozenset(("OFFERED", "ACKNOWLEDGED", "ACCEPTED", "ON_HOLD"))
"""Lines of a timeline that say the state of an open offer."""
ENDED = frozenset(map(ended, How))
"""Lines that say how an offer ended."""
_TRACKS = (
    "SELECT o.track_id, o.step, o.kind, o.state, o.closed_at IS NULL AS open, o.agency, o.offer_id, o.case_id, o.opened_at, o.changed_at, "
    f"coalesce(x.at, {store.NEVER}) AS until FROM intake.offer o LEFT JOIN intake.exclusion x ON x.case_id = o.case_id "
    f"AND {store.SEEN_THEN} WHERE o.case_id = ANY(CAST(:ids AS text[]))"
)
_LINES = "SELECT case_id, seq, at, sealed FROM intake.happening WHERE case_id = ANY(CAST(:ids AS text[])) ORDER BY case_id, seq"


def line(cipher: SecretBox, case_id: str, seq: int, sealed: bytes) -> Line:
    """Return a decrypted line of a timeline."""
    return msgspec.msgpack.decode(sections.unseal(cipher, sealed, case_id, "timeline", str(seq)), type=Line)


def offers(now: Sequence[Offer], lines: Sequence[Line], until: int) -> Iterator[Offer]:
    """Yield the offers that had been made then (µs UTC), each in its state of then. lines: of the timeline until then."""
    for offer in now:
        if offer.opened_at <= until:
            yield offer if offer.changed_at <= until else structs.replace(offer, state=state(offer.offer_id, lines))


def state(offer_id: str, lines: Iterable[Line]) -> str:
    """Return the state of an offer at the end of these lines. A withdrawn answer opens it again in the state before its end."""
    found = before = "OFFERED"
    for what in (line.what for line in lines if line.offer_id == offer_id):
        if what in OPEN:
            found = before = what
        elif what == "ARRIVED":
            found = before = "ACCEPTED"
        elif what in ENDED:
            found = what
        elif what == "REOPENED":
            found = before
    return found


async def track_offers(tx: AsyncConnection, leave: Permit, keys: Keys, case_ids: Iterable[str]) -> dict[str, list[Asking]]:
    """Return, for these cases, track id → its offers, of all agencies, as far as the line of steps shows them to the permit's agency."""
    rows = await store.rows(tx, _TRACKS, {"ids": sorted(set(case_ids)), "agency": leave.agency})
    lines = await _lines(tx, leave, keys, {row.case_id: row.until for row in rows if row.opened_at <= row.until < row.changed_at})
    found: dict[str, list[Asking]] = {}
    for row in rows:
        if row.opened_at <= row.until:
            found.setdefault(row.track_id, []).append(_asking(row, lines.get(row.case_id, ())))
    return found


def _asking(row: Any, lines: Iterable[Line]) -> Asking:
    if row.changed_at <= row.until:
        return Asking(row.step, row.kind, row.state, row.open, row.agency)
    then = state(row.offer_id, lines)
    return Asking(row.step, row.kind, then, then in OPEN, row.agency)


async def _lines(tx: AsyncConnection, leave: Permit, keys: Keys, untils: dict[str, int]) -> dict[str, list[Line]]:
    """Return the timeline of each of these cases until a moment (case id → µs UTC)."""
    if not untils:
        return {}
    ciphers = {case_id: sections.box(key) for case_id, key in (await keys.load(tx, sorted(untils))).items()}
    found: dict[str, list[Line]] = {}
    for case_id, seq, at, sealed in await store.rows(tx, _LINES, {"ids": sorted(ciphers)}):
        if at <= untils[case_id]:
            found.setdefault(case_id, []).append(line(ciphers[case_id], case_id, seq, bytes(sealed)))
    return found
