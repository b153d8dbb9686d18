"""`referral agency` and `referral staff` as an operator types them, on a real database."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from referral.runtime.settings import Settings
from services.intake import accounts, signin
from tests.contract.intake_stack import stack

pytestmark = pytest.mark.servers


@pytest.fixture
def bare(database: str, key_files: tuple[Path, Path]) -> Settings:
    return Settings(kafka="nowhere:1", database=database, master_key_file=key_files[0], instance="test", drill_clock=True)


async def command(bare: Settings, *words: str, typed: str = "") -> tuple[int, str]:
    environment = {
        **os.environ,
        "REFERRAL_KAFKA": bare.kafka,
        "REFERRAL_DATABASE": bare.database,
        "REFERRAL_MASTER_KEY_FILE": str(bare.master_key_file),
    }
    program = (sys.executable, "-c", "from referral.cli import main; main()", *words)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*program, env=environment, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    out, _ = await process.communicate(typed.encode())
    assert "Traceback" not in out.decode(), out.decode()
    return process.returncode or 0, out.decode()


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
        async with asyncio.timeout(5):
            while (await intake.http.get("/v1/offers", headers=headers)).status_code != 401:
                await asyncio.sleep(0.05)
    assert (await command(bare, "agency", "token", "school-drita", "--revoke", "all"))[0] == 1
    code, said = await command(bare, "agency", "token", "school-of-nowhere")
    assert (code, "school-drita" in said) == (1, True)


async def test_an_account_signs_in_with_the_password_that_was_typed(bare: Settings) -> None:
    add = ("staff", "add", "Agim", "--agency", "police-prizren", "--language", "sr-Cyrl", "--password-stdin", "--json")
    code, said = await command(bare, *add, typed="correct horse battery\n")
    assert code == 0, said
    async with stack(bare) as intake:
        async with intake.door.begin() as tx:
            found = await accounts.by_login(tx, "agim")
        assert found is not None
        account, stored = found
        assert (account.id, account.language, account.desk) == (json.loads(said)["id"], "sr-Cyrl", False)
        assert signin.matches(stored, "correct horse battery")
        assert not signin.matches(stored, "correct horse")
        for bad, typed, hint in (
            (add, "correct horse battery\n", "login-taken"),
            (("staff", "add", "beni", "--agency", "police-prizren", "--password-stdin"), "short\n", "bad-password"),
            (("staff", "add", "beni", "--agency", "nobody", "--password-stdin"), "", "unknown-agency"),
            (("staff", "disable", "beni"), "", "unknown-login"),
        ):
            code, said = await command(bare, *bad, typed=typed)
            assert (code, hint in said) == (1, True), said
        assert (await command(bare, "staff", "disable", "agim"))[0] == 0
        async with intake.door.begin() as tx:
            assert await accounts.by_login(tx, "agim") is None
