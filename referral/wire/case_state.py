"""Encrypt a case's stored state: msgpack, sealed under the case's own key, so that erasing the key erases the state.

State is additive: a release may only add a field, with a default, so that it still loads a state that an older release wrote.
"""

from __future__ import annotations

import msgspec

from referral.domain.case import Case
from referral.wire.seal import cipher

NONCE = 12
PURPOSE = b"routing.case_state "

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Case)


def seal(key: bytes, case: Case, nonce: bytes) -> bytes:
    """Return nonce ‖ AES-256-GCM(msgpack), bound to the case id. nonce: 12 random bytes, used once."""
    return nonce + cipher(key).encrypt(nonce, _encoder.encode(case), PURPOSE + case.case_id.encode())


def unseal(key: bytes, case_id: str, sealed: bytes) -> Case:
    """Return the state. cryptography.exceptions.InvalidTag: another key or another case."""
    return load(cipher(key).decrypt(sealed[:NONCE], sealed[NONCE:], PURPOSE + case_id.encode()))


def load(data: bytes) -> Case:
    """Return the state in msgpack that this release or an older one wrote."""
    return _decoder.decode(data)
