"""`referral agency` and `referral staff` as an operator types them, on a real database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from referral.domain.inputs import ROSTER_BOOK
from referral.runtime.settings import Settings
from services.intake.accounts import rules, store
from tests.harness.line.intake_stack import BODY, stack
from tests.harness.programs import command
from tests.harness.waiting import until
from tests.integration.intake.test_hostile import served

pytestmark = pytest.mark.servers


@pytest.fixture
def bare(database: str, key_files: tuple[Path, Path]) -> Settings:
    return Settings(kafka="nowhere:1", database=database, master_key_file=key_files[0], instance="test", drill_clock=True)


async def test_a_token_is_shown_once_and_can_be_revoked(bare: Settings) -> None:
    code, said = await command(bare, "agency", "token", "school-drita", "--label", "school register", "--json")
    made: dict[str, Any] = json.loads(said)
    assert code == 0
    async with stack(bare) as intake:
        headers = {"Authorization": f"Bearer {made['token']}"}
        assert (await intake.http.get("/v1/offers", headers=headers)).status_code == 200
        listed = json.loads((await command(bare, "agency", "token", "school-drita", "--list", "--json"))[1])
        assert [t["label"] for t in listed] == ["school register"]
        assert made["token"] not in str(listed)
        assert (await command(bare, "agency", "token", "school-drita", "--revoke", listed[0]["name"]))[0] == 0

        async def refused() -> bool:
            return (await intake.http.get("/v1/offers", headers=headers)).status_code == 401

        await until(refused)
    assert (await command(bare, "agency", "token", "school-drita", "--revoke", "all"))[0] == 1
    code, said = await command(bare, "agency", "token", "school-dirta")
    assert (code, "did you mean school-drita?" in said) == (1, True)


async def test_an_account_signs_in_with_the_password_that_was_typed(bare: Settings) -> None:
    add = ("staff", "add", "Agim", "--agency", "police-prizren", "--language", "sr-Cyrl", "--password-stdin", "--json")
    code, said = await command(bare, *add, typed="correct horse battery\n")
    assert code == 0, said
    async with stack(bare) as intake:
        async with intake.door.begin() as tx:
            found = await store.by_login(tx, "agim")
        assert found is not None
        account, stored = found
        assert (account.id, account.language, account.desk) == (json.loads(said)["id"], "sr-Cyrl", False)
        assert rules.matches(stored, "correct horse battery")
        assert not rules.matches(stored, "correct horse")
        for bad, typed, hint in (
            (add, "correct horse battery\n", "login-taken"),
            (("staff", "add", "beni", "--agency", "police-prizren", "--password-stdin"), "short\n", "bad-password"),
            (("staff", "add", "beni", "--agency", "nobody", "--password-stdin"), "", "unknown-agency"),
            (("staff", "disable", "beni"), "", "unknown-login"),
        ):
            code, said = await command(bare, *bad, typed=typed)
            assert (code, hint in said) == (1, True), said
        assert await intake.queued(ROSTER_BOOK) == ["account-changed.v1"], "the log says who made it"
        assert (await command(bare, "staff", "disable", "agim"))[0] == 0
        assert await intake.queued(ROSTER_BOOK) == ["account-changed.v1"] * 2
        async with intake.door.begin() as tx:
            assert await store.by_login(tx, "agim") is None


async def test_a_broken_line_is_named_by_its_number_and_the_rest_still_goes(bare: Settings, tmp_path: Path) -> None:
    good = json.dumps({"traits": BODY["traits"]}).encode()
    wrong = json.dumps({"traits": {**BODY["traits"], "found_in": "atlantis"}}).encode()
    broken = [
        b'{"traits": ',
        b"[]",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b"\xff\xfe",
        b'{"key": "\xc3\xab"}',
        b"[" * 90_000,
    ]
    file = tmp_path / "night.jsonl"
    file.write_bytes(b"\n".join([good, *broken, b"", wrong, good]) + b"\n")
    async with served(bare) as doors:
        url = f"http://127.0.0.1:{doors.port}"
        sent = ("submit", str(file), "--url", url, "--token", "token-of-school", "--json")
        code, said = await command(bare, *sent)
        found: dict[int, dict[str, Any]] = {int(one["where"].rpartition(":")[2]): one for one in json.loads(said)}
        assert code == 1 and sorted(found) == [*range(1, 10), 11, 12]
        assert {n for n, one in found.items() if "case_id" in one} == {1, 12}
        assert all(found[n]["error"].startswith("broken JSON") for n in range(2, 10)) and "atlantis" not in found[11]["error"]
        again = json.loads((await command(bare, *sent))[1])
        assert [one.get("case_id") for one in again] == [one.get("case_id") for one in json.loads(said)], "sent again, nothing is doubled"
        assert await doors.stack.scalar("SELECT count(*) FROM intake.casefile") == 2
