"""HTTP client of audit: fetch the proof that an event is in the log, and check it; fetch the report of an exercise. No other module of
intake calls audit."""

from __future__ import annotations

import httpx
import msgspec

from referral.errors import Malformed, NewerVersion, Rejected, Unavailable
from referral.proof import receipt
from referral.proof.history.exercise import Report
from referral.runtime.keys.case_keys import Keys

ANSWER_S = 5.0
"""Seconds that background work waits for audit (ours); it asks again later."""
DOOR_S = 3.0
"""Seconds that an agency's request waits for audit (ours): the agency gets an answer within the 5 s of DESIGN §8."""
REPORT_LIMIT = 2_000_000
"""Most bytes of the report of an exercise (ours): a case has at most some hundred requests, each of a few KB."""
PROOF_LIMIT = 64 * 1024
"""Most bytes of a proof (ours): 63 hashes and a hundred signatures take a quarter of it."""


async def proof(log: httpx.AsyncClient | None, keys: Keys, event_id: str) -> str:
    """Return the `.tlog-proof` of an event, as audit returns it; the caller checks it. log: None where this stack has no audit.

    Rejected 404: the event is not logged yet. Unavailable: audit is away.
    """
    try:
        answer = await log.get(f"/proofs/{event_id}", headers={"authorization": f"Bearer {keys.lookup(event_id)}"}) if log else None
    except (httpx.HTTPError, OSError):  # httpx passes on an alert of TLS as it is
        answer = None
    if answer is not None and answer.status_code == httpx.codes.NOT_FOUND:
        raise Rejected("not-logged-yet", "", "ask again after Retry-After seconds: witnesses are cosigning the log", status=404)
    if answer is None or answer.status_code != httpx.codes.OK or len(answer.content) > PROOF_LIMIT:
        raise Unavailable("the log")
    return answer.text


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


async def covered(log: httpx.AsyncClient, keys: Keys, policy: bytes, event_id: str, case_id: str) -> bool:
    """Return True if the witnesses of this policy have cosigned a log that contains the event: then nobody can remove it unnoticed.

    policy: the witness policy file.
    False: not yet, or audit is away. Malformed: audit's proof proves nothing; another server answers in its place, or it lies.
    """
    try:
        text = await proof(log, keys, event_id)
    except (Rejected, Unavailable):
        return False
    try:
        receipt.check({"event_id": event_id, "case_id": case_id}, text.encode(), policy)
    except NewerVersion as error:
        raise Malformed("proof", str(error)) from None
    return True
