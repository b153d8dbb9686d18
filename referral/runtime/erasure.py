"""The one event that travels unsealed, because its key will be gone: a tag under the master key says that intake said it.

Whoever can only write to the topic can so neither have a case destroyed nor take its next sequence away from the true record.
"""

from __future__ import annotations

import hmac

from msgspec import Struct, structs

from referral.domain.events import CaseErased, Meta
from referral.errors import Malformed, NewerVersion
from referral.runtime.keys import Keys
from referral.wire import codec, seal

PURPOSE = "case-erased"


def tagged(keys: Keys, case_id: str, body: CaseErased) -> CaseErased:
    """The event with its tag."""
    plain = structs.replace(body, tag=None)
    return structs.replace(body, tag=keys.hmac(PURPOSE, case_id.encode(), codec.encode(plain)))


def genuine(keys: Keys, case_id: str, body: Struct) -> bool:
    """Whether intake said this of this case. The first version had no tag, and no program ever wrote one."""
    return isinstance(body, CaseErased) and body.tag is not None and hmac.compare_digest(body.tag, tagged(keys, case_id, body).tag or b"")


def said(keys: Keys, topic: str, value: bytes) -> tuple[Meta, CaseErased] | None:
    """The erasure that a record of a topic says; None: it says something else, or intake did not say it."""
    try:
        envelope = seal.open(value)
        meta = envelope.meta
        if topic != CaseErased.TOPIC or meta.type not in seal.UNSEALED:
            return None
        body = codec.decode(meta.type, meta.fingerprint, seal.unseal(None, topic, envelope))
    except (Malformed, NewerVersion):
        return None
    return (meta, body) if isinstance(body, CaseErased) and genuine(keys, meta.case_id, body) else None
