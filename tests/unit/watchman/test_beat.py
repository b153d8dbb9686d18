"""A beat counts once, signed, by a clock that is about right; nothing else changes what was heard."""

from __future__ import annotations

from pathlib import Path

import httpx
import msgspec
import pytest

from referral.errors import Rejected
from services.watchman.alarms import Heard
from services.watchman.beat import HEADER, MOST_BYTES, SKEW_S, Beat, Beats, key, sign

KEY, OTHER = bytes(32), bytes([1]) * 32
NOW = 1_800_000_000_000_000


async def sent(beats: Beats, body: bytes, signature: str | bytes) -> int:
    transport = httpx.ASGITransport(beats.application())
    async with httpx.AsyncClient(transport=transport, base_url="http://east") as http:
        return (await http.post("/beat", content=body, headers={HEADER: signature})).status_code


def signed(beat: Beat, key: bytes = KEY) -> tuple[bytes, str]:
    body = msgspec.json.encode(beat)
    return body, sign(key, body)


@pytest.fixture
def beats() -> Beats:
    return Beats("east", KEY, lambda: 7.0, lambda: NOW)


async def test_a_beat_is_heard_once(beats: Beats) -> None:
    body, signature = signed(Beat("west", NOW, False))
    assert await sent(beats, body, signature) == 204
    assert beats.heard(frozenset({"west", "north"})) == {"west": Heard(7.0, False), "north": None}
    assert await sent(beats, body, signature) == 409, "a copy"
    assert await sent(beats, *signed(Beat("west", NOW - 1, True))) == 409, "older than the newest"
    assert await sent(beats, *signed(Beat("west", NOW + 1, True))) == 204


@pytest.mark.parametrize(
    ("beat", "by", "status"),
    (
        (Beat("west", NOW, True), OTHER, 401),
        (Beat("west", NOW - round(SKEW_S * 1e6) - 1, True), KEY, 403),
        (Beat("west", NOW + round(SKEW_S * 1e6) + 1, True), KEY, 403),
        (Beat("east", NOW, True), KEY, 409),
    ),
)
async def test_a_foreign_old_or_own_beat_is_refused(beats: Beats, beat: Beat, by: bytes, status: int) -> None:
    assert await sent(beats, *signed(beat, by)) == status
    assert beats.heard(frozenset({"west", "east"})) == {"west": None, "east": None}


async def test_a_changed_long_or_unsigned_body_is_refused(beats: Beats) -> None:
    body, signature = signed(Beat("west", NOW, False))
    assert await sent(beats, body.replace(b"false", b"true"), signature) == 401
    assert await sent(beats, body, "") == 401
    assert await sent(beats, body, "ë".encode()) == 401
    assert await sent(beats, b" " * (MOST_BYTES + 1), signature) == 413
    assert await sent(beats, b"{}", sign(KEY, b"{}")) == 400
    assert await sent(Beats("east", None, lambda: 0.0, lambda: NOW), body, signature) == 404
    assert beats.heard(frozenset({"west"})) == {"west": None}


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    made = tmp_path / "beat.key"
    made.write_text("00" * 32)
    made.chmod(0o600)
    assert key(made) == KEY
    made.chmod(0o644)
    with pytest.raises(Rejected, match="chmod 600"):
        key(made)
    made.chmod(0o600)
    made.write_text("00")
    with pytest.raises(Rejected, match="openssl"):
        key(made)
