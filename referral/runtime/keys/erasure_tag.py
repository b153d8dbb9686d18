"""Check erasures, the one event that travels unsealed because its key will be gone: intake's signature proves that intake emitted it.

A writer to the topic, even with the master key, can neither have a case destroyed nor take its next sequence from the genuine record.
"""

from __future__ import annotations

from collections.abc import Collection

from referral.domain.events import CaseErased, Meta
from referral.errors import Malformed, NewerVersion, Rejected
from referral.runtime.settings import Settings
from referral.wire import codec, intake_key, seal


def signed_erasure(intake: Collection[bytes], topic: str, value: bytes) -> tuple[Meta, CaseErased] | None:
    """Return the erasure in a record; None: it is another event, or intake did not sign it. intake: intake's public keys."""
    try:
        envelope = seal.open(value)
        meta = envelope.meta
        if topic != CaseErased.TOPIC or meta.type not in seal.UNSEALED:
            return None
        body = codec.decode(meta.type, meta.fingerprint, seal.unseal(None, topic, envelope))
    except (Malformed, NewerVersion):
        return None
    return (meta, body) if isinstance(body, CaseErased) and intake_key.genuine(intake, meta.case_id, body) else None


def intake_keys(settings: Settings) -> tuple[bytes, ...]:
    """Return intake's public keys from the witness policy; none without a witness policy: then the process accepts no erasure.

    Rejected: the file cannot be read, or one of its lines names no key.
    """
    if settings.witness_policy is None:
        return ()
    try:
        return intake_key.named(settings.witness_policy.read_bytes())
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


def needed_keys(settings: Settings) -> tuple[bytes, ...]:
    """Return intake's public keys for a process that needs them. Rejected: as `intake_keys`, or there is none."""
    if not (keys := intake_keys(settings)):
        hint = "name the witness policy; its line `# intake ed25519 …` names intake's key (`referral audit key` writes it)"
        raise Rejected("intake-key", "REFERRAL_WITNESS_POLICY", f"without intake's key no erasure can be believed: {hint}")
    return keys
