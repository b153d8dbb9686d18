"""Sign, take and read a beat: "this watchman is alive, and it can (or cannot) call somebody". It says nothing else.

An HMAC under a key that the watchmen share; whoever copies a beat can send it only once, and only within the time that clocks may differ.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request

from referral import file_rights
from referral.errors import Rejected
from services.watchman.alarms import Heard
from services.watchman.door import door

EVERY_S = 20.0
"""Seconds between two beats (ours): three must be missed before an alarm (alarms.limits), which with the call must fit into 90 s."""
SKEW_S = 60.0
"""Seconds (ours) by which the clocks of two watchmen may differ; a copy of a beat that is older is refused."""
HEADER = "x-referral-beat"
"""Header of the signature: hexadecimal HMAC-SHA-256 of the body."""
MOST_BYTES = 512
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


def sign(key: bytes, body: bytes) -> str:
    """Return the signature of a beat that is encoded."""
    return hmac.new(key, body, sha256).hexdigest()


class Beats:
    """The beats of other watchmen that arrived at POST /beat. me: our own name, whose beats are not taken.

    key: shared; None: this watchman hears nobody. clock: our own seconds, which nothing moves. now: µs UTC by the machine's clock.
    """

    def __init__(self, me: str, key: bytes | None, clock: Callable[[], float], now: Callable[[], int]) -> None:
        self._me, self._key, self._clock, self._now = me, key, clock, now
        self._newest: dict[str, int] = {}
        self._heard: dict[str, Heard] = {}

    def heard(self, names: frozenset[str]) -> Mapping[str, Heard | None]:
        """Return the newest beat of each of these watchmen."""
        return {name: self._heard.get(name) for name in names}

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return door("/beat", MOST_BYTES, self._post)

    def _post(self, request: Request, body: bytes) -> None:
        """Take a beat. Rejected: not signed by the key, from another time, not newer than the last one, or our own."""
        if self._key is None:
            raise Rejected("no-key", "REFERRAL_WATCHMAN_BEAT_KEY_FILE", "this watchman hears no other", status=404)
        if not hmac.compare_digest(sign(self._key, body).encode(), request.headers.get(HEADER, "").encode()):
            raise Rejected("signature", HEADER, "sign the body with the key that the watchmen share", status=401)
        try:
            beat = msgspec.json.decode(body, type=Beat)
        except msgspec.DecodeError:
            raise Rejected("malformed", "body", "send a beat", status=400) from None
        if abs(self._now() - beat.at) > SKEW_S * 1_000_000:
            hint = "this is a copy, or the clocks of the two machines differ by more than a minute: set them"
            raise Rejected("clock", "at", hint, status=403)
        if beat.at <= self._newest.get(beat.watchman, 0):
            raise Rejected("copy", "at", "this beat has come before", status=409)
        if beat.watchman == self._me:
            hint = "this is our own beat, or two watchmen have one name: set REFERRAL_INSTANCE"
            raise Rejected("own-beat", "watchman", hint, status=409)
        self._newest[beat.watchman] = beat.at
        self._heard[beat.watchman] = Heard(self._clock(), beat.able)
