"""Sign and read a beat: "this watchman is alive, and it can (or cannot) call somebody". It says nothing else.

An HMAC under a key that the watchmen share; whoever copies a beat can send it only once, and only within the time that clocks may differ.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from referral import file_rights
from referral.errors import Rejected

EVERY_S = 20.0
"""Seconds between two beats (ours): three must be missed before an alarm (alarms.LIMITS), which with the call must fit into 90 s."""
SKEW_S = 60.0
"""Seconds (ours) by which the clocks of two watchmen may differ; a copy of a beat that is older is refused."""
HEADER = "x-referral-beat"
"""Header of the signature: hexadecimal HMAC-SHA-256 of the body."""
MOST = 512
"""Bytes of a body at most (ours); a beat has about eighty."""
KEY_BYTES = 32


class Beat(Struct, frozen=True, forbid_unknown_fields=True):
    """watchman: its name. at: µs UTC by its machine's clock. able: the last look found its own trunk in order."""

    watchman: str
    at: int
    able: bool


def key(path: Path) -> bytes:
    """Read the shared key: 64 hexadecimal digits. Rejected: no such file, another content, or a file that others may read too."""
    where = "REFERRAL_WATCHMAN_BEAT_KEY_FILE"
    try:
        if file_rights.exposed(path):
            raise Rejected("readable", where, f"others than its owner may read the file: chmod 600 {path}")
        found = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError):
        found = b""
    if len(found) != KEY_BYTES:
        raise Rejected("beat-key", where, "a readable file with 64 hexadecimal digits: openssl rand -hex 32")
    return found


def sign(key: bytes, beat: Beat) -> tuple[bytes, str]:
    """Return (body, signature)."""
    body = msgspec.json.encode(beat)
    return body, hmac.new(key, body, sha256).hexdigest()


def read(key: bytes, body: bytes, signature: str, now: int, newest: Mapping[str, int]) -> Beat:
    """Return the beat of a request. now: µs UTC by our machine's clock. newest: watchman → time of its last beat.

    Rejected: not signed by the key, from another time, or not newer than the last one.
    """
    if not hmac.compare_digest(hmac.new(key, body, sha256).hexdigest().encode(), signature.encode()):
        raise Rejected("signature", HEADER, "sign the body with the key that the watchmen share", status=401)
    try:
        beat = msgspec.json.decode(body, type=Beat)
    except msgspec.DecodeError:
        raise Rejected("malformed", "body", "send a beat", status=400) from None
    if abs(now - beat.at) > SKEW_S * 1_000_000:
        raise Rejected(
            "clock", "at", "this is a copy, or the clocks of the two machines differ by more than a minute: set them", status=403
        )
    if beat.at <= newest.get(beat.watchman, 0):
        raise Rejected("copy", "at", "this beat has come before", status=409)
    return beat
