"""Check erasures, the one event that travels unsealed because its key will be gone: intake's signature proves that intake emitted it.

A writer to the topic, even with the master key, can neither have a case destroyed nor take its next sequence from the genuine record.
"""

from __future__ import annotations

from referral.domain.events import CaseErased, Meta
from referral.errors import Malformed, NewerVersion, Rejected
from referral.runtime import trust_file
from referral.runtime.settings import Settings
from referral.wire import codec, seal
from referral.wire.signed.erasure_approval import Erasers


def signed_erasure(intake: Erasers, topic: str, value: bytes, at: int) -> tuple[Meta, CaseErased] | None:
    """Return the erasure in a record; None: it is another event, or intake and two persons did not sign it.

    at: LogAppendTime of the record, ms.
    """
    try:
        envelope = seal.open(value)
        meta = envelope.meta
        if topic != CaseErased.TOPIC or meta.type not in seal.UNSEALED:
            return None
        body = codec.decode(meta.type, meta.fingerprint, seal.unseal(None, topic, envelope))
    except (Malformed, NewerVersion):
        return None
    return (meta, body) if isinstance(body, CaseErased) and intake.genuine(meta.case_id, body, at) else None


def erasers(settings: Settings) -> Erasers:
    """Return those whom this process believes about erasures. Rejected: as `trust_file.read`."""
    return trust_file.read(settings).erasers


def needed(settings: Settings) -> Erasers:
    """Return them for a process that needs them. Rejected: as `erasers`, or no key of intake is named."""
    if not (found := erasers(settings)).intake:
        hint = 'name it there, intake = ["…"], in the place of "off" (`referral audit key` writes the line)'
        raise Rejected("intake-key", trust_file.NAME, f"without intake's key no erasure can be believed: {hint}")
    return found
