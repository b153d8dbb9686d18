"""Is it logged? Intake asks audit for the proof of an event; nothing else here asks audit. What it acts upon itself it checks first."""

from __future__ import annotations

import httpx

from referral.errors import Malformed, NewerVersion, Rejected, Unavailable
from referral.proof import receipt
from referral.runtime.keys.case_keys import Keys

ANSWER_S = 5.0
"""Longest that audit is waited for (ours); it is asked again later."""
DOOR_S = 3.0
"""The same where an agency waits for it (ours): it hears within the 5 s of DESIGN §8."""
PROOF_LIMIT = 64 * 1024
"""Bytes of a proof (ours): 63 hashes and a hundred signatures take a quarter of it."""


async def proof(log: httpx.AsyncClient | None, keys: Keys, event_id: str) -> str:
    """The `.tlog-proof` of an event, as audit gives it: whoever uses it checks it. log: None where this stack has none.

    Rejected 404: not logged yet. Unavailable: audit is away.
    """
    try:
        answer = await log.get(f"/proofs/{event_id}", headers={"authorization": f"Bearer {keys.lookup(event_id)}"}) if log else None
    except httpx.HTTPError:
        answer = None
    if answer is not None and answer.status_code == httpx.codes.NOT_FOUND:
        raise Rejected("not-logged-yet", "", "ask again after Retry-After seconds: witnesses are cosigning the log", status=404)
    if answer is None or answer.status_code != httpx.codes.OK or len(answer.content) > PROOF_LIMIT:
        raise Unavailable("the log")
    return answer.text


async def covered(log: httpx.AsyncClient, keys: Keys, policy: bytes, event_id: str, case_id: str) -> bool:
    """Whether the witnesses of this policy have seen the event in the log: then nobody can take it out again unseen.

    policy: the witness policy file. False: not yet, or audit is away. Malformed: what audit gave proves nothing; somebody answers in its
    place, or it lies.
    """
    try:
        found = await proof(log, keys, event_id)
    except (Rejected, Unavailable):
        return False
    try:
        receipt.check({"event_id": event_id, "case_id": case_id}, found.encode(), policy)
    except NewerVersion as error:
        raise Malformed("proof", str(error)) from None
    return True
