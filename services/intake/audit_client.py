"""HTTP client of audit for intake's doors: fetch the report of an exercise."""

from __future__ import annotations

import httpx
import msgspec

from referral.errors import Unavailable
from referral.proof.history.exercise import Report
from referral.runtime.keys.case_keys import Keys

DOOR_S = 3.0
"""Seconds that an agency's request waits for audit (ours): the agency gets an answer within the 5 s of DESIGN §8."""
REPORT_LIMIT = 2_000_000
"""Most bytes of the report of an exercise (ours): a case has at most some hundred requests, each of a few KB."""


async def exercise(log: httpx.AsyncClient | None, keys: Keys, case_id: str) -> Report | None:
    """Return the report of an exercise, as the log has it; None: the log does not have the case yet. log: None where there is no audit.

    An erased case, and a real child's, are not there. Unavailable: audit is away.
    """
    try:
        answer = await log.get(f"/exercises/{case_id}", headers={"authorization": f"Bearer {keys.exercise(case_id)}"}) if log else None
        if answer is not None and answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer is not None and answer.status_code == httpx.codes.OK and len(answer.content) <= REPORT_LIMIT:
            return msgspec.json.decode(answer.content, type=Report)
    except (httpx.HTTPError, OSError, msgspec.DecodeError):
        pass
    raise Unavailable("the log")
