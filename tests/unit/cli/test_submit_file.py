"""`referral submit` and files in the shape of HTCDS: which file is one, and what its sender reads of each row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from referral.cli.agency import submit
from referral.cli.app import run
from referral.client import Client
from referral.wire import event_digest
from tests.harness.htcds_values import EXAMPLE, ROOT

OURS = (ROOT / "examples" / "referral.json").read_bytes()
HTCDS = "application/vnd.htcds+json"
ANSWER = {
    "taken": 1,
    "repeated": 1,
    "refused": 1,
    "rows": [
        {"row": 2, "state": "TAKEN", "case_id": "c1"},
        {"row": 3, "state": "REPEATED", "case_id": "c2"},
        {
            "row": 4,
            "state": "REFUSED",
            "problems": [
                {"code": "wrong-type", "where": "row 4, prs_Birthdate", "hint": "write a date"},
                {"code": "missing-field", "where": "row 4, ref_FoundIn", "hint": "name it"},
            ],
        },
    ],
    "ignored": [{"where": "column 3 (C)", "name": "org_Name", "filled": 3, "hint": "left out"}],
}


@pytest.mark.parametrize(
    ("name", "text", "media"),
    [
        ("week.csv", EXAMPLE.read_bytes(), "text/csv"),
        ("WEEK.CSV", b"", "text/csv"),
        ("week.json", b'[{"prs_FirstName": "Testa"}]', HTCDS),
        ("week.json", b'{"ref_FoundIn": "prizren"}', HTCDS),
        ("one.json", OURS, ""),
        ("broken.json", b"{", ""),
        ("list.json", b"[]", ""),
        ("many.jsonl", b'{"prs_FirstName": "Testa"}', ""),
    ],
)
def test_which_file_is_one_of_htcds(name: str, text: bytes, media: str) -> None:
    assert submit.media(Path(name), text) == media


def sent(answer: httpx.Response, asked: list[httpx.Request]) -> list[submit.SendResult]:
    def told(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    with Client("https://intake", "token", transport=httpx.MockTransport(told)) as client:
        return list(submit.send(client, Path("week.csv"), b"the file", "text/csv"))


def test_each_row_and_each_column_left_out_is_told_on_its_line() -> None:
    asked: list[httpx.Request] = []
    told = sent(httpx.Response(207, json=ANSWER), asked)
    assert [(one.where, one.result, one.bad) for one in told] == [
        ("week.csv:2", "received", False),
        ("week.csv:3", "received before", False),
        ("week.csv:4", "wrong-type at row 4, prs_Birthdate: write a date; missing-field at row 4, ref_FoundIn: name it", True),
        ("week.csv, column 3 (C), org_Name", "left out (3 filled)", False),
    ]
    assert [one.receipt.get("case_id") for one in told] == ["c1", "c2", None, None]
    assert asked[0].content == b"the file" and asked[0].headers["Content-Type"] == "text/csv"
    assert "Idempotency-Key" not in asked[0].headers, "each row has its own"


def test_a_file_that_is_refused_whole_is_one_line() -> None:
    problem: dict[str, Any] = {"code": "not-htcds", "where": "row 1", "hint": "name the fields"}
    [told] = sent(httpx.Response(422, content=json.dumps(problem)), [])
    assert (told.where, told.bad) == ("week.csv", True) and told.result == "422 not-htcds at row 1: name the fields"


REFUSAL = {"at": "2026-11-27T08:00:00.000000Z", "door": "KAFKA", "code": "key-reused", "where": "ce_id", "hint": "use a new key"}
TAKEN = {"state": "TAKEN", "kind": "referral", "id": "r", "case_id": "c1", "event_id": "e", "received_at": "2026-11-27T07:00:00.000000Z"}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (TAKEN, 0, ["TAKEN", "c1"]),
        ({**TAKEN, "refusals": [REFUSAL]}, 1, ["TAKEN", "REFUSED", "key-reused at ce_id: use a new key"]),
        ({"state": "REFUSED", "refusals": [REFUSAL]}, 1, ["REFUSED", "key-reused"]),
    ],
)
def test_the_command_tells_what_was_refused_beside_what_was_taken(
    answer: dict[str, Any], code: int, said: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    monkeypatch.setattr(submit.console, "client", lambda url, token: Client(url, token, transport=transport))
    assert submit.submission("k", "http://127.0.0.1:1", "token") == code
    out = " ".join(capsys.readouterr().out.split())
    assert all(word in out for word in said)


def test_the_salts_of_what_is_sent_stand_in_a_file_of_the_sender_and_fit_what_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An auditor needs body, receipt and salt, and `referral submit` kept the salt to itself."""
    asked, salts, file = [], tmp_path / "salts.jsonl", tmp_path / "week.jsonl"
    file.write_bytes(b'{"key": "drita-1", "drill": true}\n{"drill": true}\nbroken\n')

    def took(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        assert len(salts.read_text().splitlines()) >= 2, "kept before anything is sent"
        return httpx.Response(202, json={"case_id": "c1"})

    monkeypatch.setattr(submit.console, "client", lambda url, token: Client(url, "token", transport=httpx.MockTransport(took)))
    for times in (1, 2):
        assert run(["submit", str(file), "--url", "https://intake", "--token", "x", "--json", "--salts", str(salts)]) == 1
        kept = [json.loads(line) for line in salts.read_text().splitlines()]
        assert len(kept) == 2 * times and kept[:2] == kept[-2:]
    assert salts.stat().st_mode & 0o777 == 0o600 and kept[0]["key"] == "drita-1"
    assert [one["salt"] for one in kept] == [request.headers[event_digest.SALT_HEADER] for request in asked]
    words = event_digest.words_of_body({"drill": True})
    assert asked[0].headers[event_digest.DIGEST_HEADER] == event_digest.digest(kept[0]["salt"], words)
    assert kept[0]["salt"] not in capsys.readouterr().out, "never beside the receipts"
    assert run(["submit", str(file), "--url", "https://intake", "--token", "x", "--salts", str(tmp_path / "no" / "salts")]) == 2
