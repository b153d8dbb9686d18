"""An answer that intake has taken is never reported as failed, and one that changed nothing never as done."""

from __future__ import annotations

import httpx
import pytest

from referral.cli import console
from referral.cli.app import run
from referral.client import Client

RECEIPT = {"id": "i", "case_id": "c", "event_id": "e", "received_at": "2026-12-01T03:00:00.000000Z"}


@pytest.mark.parametrize(
    ("status", "state", "code", "said"),
    [
        (200, {"became": "COUNTED"}, 0, "it counted"),
        (200, {"became": "IGNORED", "reason": "OTHER_ACCEPTED_FIRST"}, 1, "ignored, OTHER_ACCEPTED_FIRST: it changed nothing"),
        (200, {"became": "IGNORED"}, 1, "without a reason that you may know"),
        (404, {"code": "unknown-submission"}, 0, "no decision is known yet"),
        (503, {"code": "unavailable"}, 0, "no decision is known yet"),
    ],
)
def test_an_answer_and_what_became_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, state: dict[str, str], code: int, said: str
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        return httpx.Response(202, json=RECEIPT) if request.method == "POST" else httpx.Response(status, json=state)

    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(console, "client", lambda *_: Client("https://intake", "t", transport=transport, sleep=lambda _: None))
    assert run(["respond", "o", "accept", "--key", "k-1"]) == code
    out = capsys.readouterr().out
    assert "ACCEPT received" in out and said in out
    assert asked[:2] == ["POST /v1/offers/o/responses", "GET /v1/submissions/k-1"]
