"""Files in the shape of HTCDS over HTTP on a real database: good rows are cases, wrong ones are told, nothing personal is in clear."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from referral.runtime.postgres import queue
from referral.runtime.settings import Settings
from services.intake import crowd
from services.intake.api.bulk_import import CSV, HTCDS
from tests.harness.engines import by_hand
from tests.harness.htcds_values import EXAMPLE, MARKER, good, shipped, table
from tests.harness.line.intake_stack import Stack, new_id, stack
from tests.integration.intake.test_openapi import wrong

pytestmark = pytest.mark.servers
SENDER = "ngo-lantern"


@pytest.fixture
async def intake(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Stack]:
    settings = Settings(kafka="", database=database, master_key_file=key_files[0], instance="test", drill_clock=True)
    async with stack(settings, shipped()) as made:
        yield made


async def send(intake: Stack, data: bytes | str, media: str = CSV, key: str | None = None) -> httpx.Response:
    headers = intake.token(SENDER) | {"Content-Type": media} | ({"Idempotency-Key": key} if key else {})
    return await intake.http.post("/v1/referrals", content=data, headers=headers)


async def states(intake: Stack, data: bytes | str, media: str = CSV, key: str | None = None) -> list[str]:
    answer = await send(intake, data, media, key)
    assert answer.status_code == 207, answer.text
    return [row["state"] for row in answer.json()["rows"]]


async def cases(intake: Stack) -> int:
    return int(await intake.scalar("SELECT count(*) FROM intake.casefile"))


async def travels(intake: Stack) -> str:
    """What waits for the topic, with its seal taken off: nobody who holds a case's key reads more than this on Kafka."""
    async with intake.door.begin() as tx:
        rows = (await tx.execute(text("SELECT id, case_id, body FROM queue"))).all()
        keys = await intake.door.keys.load(tx, {row.case_id for row in rows})
    return "\n".join(queue.unseal(bytes(row.body), row.id, keys[row.case_id]).decode("utf-8", "replace") for row in rows)


async def in_clear(intake: Stack) -> str:
    """Every row of every table that a service has, as text."""
    found = []
    async with by_hand(intake.settings) as tx:
        names = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('intake', 'keys')"
        for schema, name in (await tx.execute(text(names))).all():
            for row in (await tx.execute(text(f'SELECT * FROM {schema}."{name}"'))).all():
                found += [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in row]
    return "\n".join(found)


async def test_fifty_rows_with_ten_faults_are_forty_cases_and_ten_errors_and_the_same_file_again_is_nothing_new(intake: Stack) -> None:
    answer = await send(intake, EXAMPLE.read_bytes())
    assert answer.status_code == 207
    told = answer.json()
    assert (told["taken"], told["repeated"], told["refused"]) == (40, 0, 10)
    assert await cases(intake) == await intake.scalar("SELECT count(*) FROM queue") == 40
    assert [row["row"] for row in told["rows"]] == list(range(2, 52))
    for row in told["rows"]:
        for problem in row.get("problems", ()):
            assert problem["type"].startswith("urn:referral:problem:") and problem["status"] == 422 and problem["hint"]
            assert problem["where"].startswith(f"row {row['row']}")
    again = (await send(intake, EXAMPLE.read_bytes())).json()
    assert (again["taken"], again["repeated"], again["refused"]) == (0, 40, 10)
    assert [row.get("case_id") for row in again["rows"]] == [row.get("case_id") for row in told["rows"]]
    assert await cases(intake) == 40
    mended = EXAMPLE.read_text("utf-8").replace(",F,", ",Feminine,").replace("Atlantis", "Prizren")
    third = (await send(intake, mended)).json()
    assert (third["taken"], third["repeated"], third["refused"]) == (2, 40, 8), "only what was mended is new"
    key = await intake.http.get("/v1/submissions/example-01", headers=intake.token(SENDER))
    assert key.json()["case_id"] == told["rows"][0]["case_id"], "the row's own number is its Idempotency-Key"


async def test_no_personal_column_is_in_clear_in_any_table_answer_or_log(intake: Stack, capfd: pytest.CaptureFixture[str]) -> None:
    full = {name: good(name, field) for name, field in table().fields.items() if not field.left}
    wrongs = [{**full, "ref_Key": f"w{i}", name: MARKER} for i, name in enumerate(full) if name not in ("ref_Key",)]
    out = io.StringIO()
    writer = csv.DictWriter(out, [*full, "prs_Nickname", MARKER, "org_Name"])
    writer.writeheader()
    writer.writerows([{**row, "prs_Nickname": MARKER, MARKER: MARKER, "org_Name": MARKER} for row in (full, *wrongs)])
    answer = await send(intake, out.getvalue())
    assert answer.json()["taken"] >= 1 and answer.json()["refused"] >= 40
    logs = capfd.readouterr()
    everything = await in_clear(intake) + await travels(intake) + answer.text + logs.out + logs.err
    for name, value in full.items():
        if table().fields[name].section and table().fields[name].type in ("text", "date", "decimal"):
            assert value not in everything, name
    assert MARKER not in everything
    case = answer.json()["rows"][0]["case_id"]
    assert await intake.by_hand("SELECT count(DISTINCT section) FROM intake.section WHERE case_id = :c", c=case) == 7


async def test_two_equal_rows_are_two_persons_and_the_file_again_is_still_two(intake: Stack) -> None:
    rows = "ref_FoundIn,ref_Drill\nprizren,true\nprizren,true\n"
    assert await states(intake, rows) == ["TAKEN", "TAKEN"]
    assert await states(intake, rows) == ["REPEATED", "REPEATED"]
    assert await states(intake, rows, key="another-file") == ["TAKEN", "TAKEN"], "a file's own key tells two files apart"
    assert await states(intake, rows, key="another-file") == ["REPEATED", "REPEATED"]
    assert await cases(intake) == 4


async def test_rows_of_an_agency_above_its_budget_are_taken_one_a_second_and_a_long_file_is_begun(
    intake: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    intake.door.crowd._tick = lambda: now[0]
    for name, number in (("BURST", 1), ("BYTES_FOR_ONE", crowd.EACH_BYTES + 1), ("FILE_BYTES", 3000)):
        monkeypatch.setattr(crowd, name, number)
    head = "ref_Key,ref_FoundIn,ref_Urgency,cco_CaseComment\n"
    [first] = (await send(intake, f"{head}a,prizren,emergency,{'x' * 4000}\n")).json()["rows"]
    assert (first["state"], first["file"]) == ("TAKEN", "later")
    rows = f"{head}b,prizren,emergency,\nc,prizren,emergency,\n"
    answer = (await send(intake, rows)).json()["rows"]
    assert [row["state"] for row in answer] == ["TAKEN", "REFUSED"]
    assert answer[1]["problems"][0]["code"] == crowd.EARLY
    now[0] += 2
    assert await states(intake, rows) == ["REPEATED", "TAKEN"], "sent again, every row is taken"
    assert await cases(intake) == 3
    again = (await send(intake, f"{head}a,prizren,emergency,{'x' * 4000}\n")).json()["rows"][0]
    assert (again["state"], again["file"], again["case_id"]) == ("REPEATED", "later", first["case_id"])


async def test_a_rows_own_key_stands_for_one_record(intake: Stack) -> None:
    head = "ref_Key,ref_FoundIn\n"
    assert await states(intake, head + "a,prizren\na,prizren\n") == ["TAKEN", "REPEATED"]
    other = (await send(intake, head + "a,gjilan\n\u00eb,gjilan\n")).json()["rows"]
    assert [(row["problems"][0]["code"], row["problems"][0]["status"]) for row in other] == [("key-reused", 409), ("bad-key", 400)]
    assert all("ref_Key" in row["problems"][0]["where"] for row in other)
    assert await cases(intake) == 1


async def test_json_is_the_same_door(intake: Stack) -> None:
    rows = [{"ref_Key": "a", "ref_FoundIn": "prizren", "vic_TypeOfExploitation": ["ForcedBegging"]}, {"prs_Gender": MARKER}]
    told = (await send(intake, json.dumps(rows), HTCDS)).json()
    assert [row["state"] for row in told["rows"]] == ["TAKEN", "REFUSED"]
    assert [one["where"] for one in told["rows"][1]["problems"]] == ["$[1].prs_Gender", "$[1].ref_FoundIn"]
    assert await states(intake, "ref_Key,ref_FoundIn,vic_TypeOfExploitation\na,prizren,ForcedBegging\n") == ["REPEATED"]
    assert MARKER not in json.dumps(told)


REFUSED: list[tuple[str, str, int, str]] = [
    ("ref_FoundIn\n" + "x" * 1_100_000, CSV, 413, "too-large"),
    ("ref_FoundIn\nprizren\n", "text/plain", 415, "not-json"),
    ("name,born\nTesta,2012\n", CSV, 422, "not-htcds"),
    ("[{]", HTCDS, 400, "not-json"),
]
"""The files that only the door refuses, and one of each form. Every other: tests/unit/intake/test_refusals.py."""


async def test_a_file_that_is_none_is_refused_whole(intake: Stack, subtests: pytest.Subtests) -> None:
    for data, media, status, code in REFUSED:
        with subtests.test(code, media=media):
            answer = await send(intake, data, media)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.headers["content-type"] == "application/problem+json"
            assert await cases(intake) == 0


async def test_the_largest_file_is_taken_in_one_call(intake: Stack) -> None:
    rows = "".join(f"row-{i},prizren\n" for i in range(500))  # of exercises an agency may send a tenth: 250 in an hour
    answer = await send(intake, f"ref_Key,ref_FoundIn\n{rows}")
    assert answer.json()["taken"] == await cases(intake) == 500


async def test_the_answer_has_the_form_that_openapi_tells(intake: Stack) -> None:
    document = (await intake.http.get("/openapi.json")).json()
    operation: dict[str, Any] = document["paths"]["/v1/referrals"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", CSV, HTCDS}
    schema = operation["responses"]["207"]["content"]["application/json"]["schema"]
    answer = await send(intake, EXAMPLE.read_bytes(), CSV, new_id())
    assert answer.headers["content-type"] == "application/json"
    assert list(wrong(document, schema, answer.json())) == []
    assert list(wrong(document, schema, {**answer.json(), "more": 1}))
