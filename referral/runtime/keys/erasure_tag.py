"""The one event that travels unsealed, because its key will be gone: intake's signature says that intake said it.

Whoever can write to the topic, and whoever has the master key too, can neither have a case destroyed nor take its next sequence away from
the true record.
"""

from __future__ import annotations

from collections.abc import Collection

from referral.domain.events import CaseErased, Meta
from referral.errors import Malformed, NewerVersion, Rejected
from referral.runtime.settings import Settings
from referral.wire import codec, intake_key, seal


def said(intake: Collection[bytes], topic: str, value: bytes) -> tuple[Meta, CaseErased] | None:
    """The erasure that a record of a topic says; None: it says something else, or intake did not say it. intake: its public keys."""
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
    """The keys by which this process believes an erasure; none where it has no witness policy: then it believes no erasure at all.

    Rejected: the file cannot be read, or one of its lines names no key.
    """
    if settings.witness_policy is None:
        return ()
    try:
        return intake_key.named(settings.witness_policy.read_bytes())
    except (OSError, Malformed) as error:
        raise Rejected("witness-policy", "REFERRAL_WITNESS_POLICY", f"it cannot be read: {error}") from None


def witness_policy(settings: Settings) -> bytes:
    """The file by which the log's proofs are checked. Rejected: none is named, or it cannot be read."""
    try:
        if settings.witness_policy is not None:
            return settings.witness_policy.read_bytes()
    except OSError as error:
        raise Rejected("missing", "REFERRAL_WITNESS_POLICY", f"the file cannot be read: {error.strerror}") from None
    raise Rejected(
        "missing", "REFERRAL_WITNESS_POLICY", "set it to the file that names the log's witnesses: without it no proof can be checked"
    )


def needed_keys(settings: Settings) -> tuple[bytes, ...]:
    """The same for who cannot do without. Rejected also: the policy names no key of intake."""
    if not (found := intake_keys(settings)):
        hint = "name the witness policy; its line `# intake ed25519 …` names intake's key (`referral audit key` writes it)"
        raise Rejected("intake-key", "REFERRAL_WITNESS_POLICY", f"without intake's key no erasure can be believed: {hint}")
    return found
