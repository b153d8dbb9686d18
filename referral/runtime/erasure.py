"""The one event that travels unsealed, because its key will be gone: a tag under the master key says that intake said it.

Whoever can only write to the topic can so neither have a case destroyed nor take its next sequence away from the true record.
"""

from __future__ import annotations

import hmac

from msgspec import Struct, structs

from referral.domain.events import CaseErased
from referral.runtime.keys import Keys
from referral.wire import codec

PURPOSE = "case-erased"


def tagged(keys: Keys, case_id: str, body: CaseErased) -> CaseErased:
    """The event with its tag."""
    plain = structs.replace(body, tag=None)
    return structs.replace(body, tag=keys.hmac(PURPOSE, case_id.encode(), codec.encode(plain)))


def genuine(keys: Keys, case_id: str, body: Struct) -> bool:
    """Whether intake said this of this case. The first version had no tag, and no program ever wrote one."""
    return isinstance(body, CaseErased) and body.tag is not None and hmac.compare_digest(body.tag, tagged(keys, case_id, body).tag or b"")
