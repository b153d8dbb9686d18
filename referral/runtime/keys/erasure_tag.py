"""Check erasures, the one event that travels unsealed because its key will be gone: intake's signature proves that intake emitted it.

A writer to the topic, even with the master key, can neither have a case destroyed nor take its next sequence from the genuine record.
"""

from __future__ import annotations

from referral.domain.events import CaseErased, Meta
from referral.errors import Malformed, NewerVersion, Rejected
from referral.runtime.settings import Settings
from referral.wire import codec, erasure_approval, seal
from referral.wire.erasure_approval import Erasers


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
    """Return those whom the witness policy names for erasures; nobody without a witness policy: then the process accepts no erasure.

    Rejected: the file cannot be read, or one of its lines names no key.
    """
    if settings.witness_policy is None:
        return Erasers()
    try:
        return erasure_approval.erasers(settings.witness_policy.read_bytes())
    except (OSError, Malformed) as error:
        raise Rejected("witness-policy", "REFERRAL_WITNESS_POLICY", f"it cannot be read: {error}") from None


def witness_policy(settings: Settings) -> bytes:
    """Read the witness policy, by which the log's proofs are checked. Rejected: none is named, or it cannot be read."""
    try:
        if settings.witness_policy is not None:
            return settings.witness_policy.read_bytes()
    except OSError as error:
        raise Rejected("missing", "REFERRAL_WITNESS_POLICY", f"the file cannot be read: {error.strerror}") from None
    raise Rejected(
        "missing", "REFERRAL_WITNESS_POLICY", "set it to the file that names the log's witnesses: without it no proof can be checked"
    )


def needed(settings: Settings) -> Erasers:
    """Return them for a process that needs them. Rejected: as `erasers`, or no key of intake is named."""
    if not (found := erasers(settings)).intake:
        hint = "name the witness policy; its line `# intake ed25519 …` names intake's key (`referral audit key` writes it)"
        raise Rejected("intake-key", "REFERRAL_WITNESS_POLICY", f"without intake's key no erasure can be believed: {hint}")
    return found
