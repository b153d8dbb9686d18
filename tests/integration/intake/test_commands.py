"""`referral agency` and `referral staff` as an operator types them, on a real database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from referral.ca.names import Name, Plane
from referral.domain.inputs import ROSTER_BOOK
from referral.runtime import passwords, peer, random_secret
from referral.runtime.postgres import clock
from referral.runtime.settings import Settings
from services.intake.accounts import invitations as invited
from services.intake.accounts import rules, store
from tests.harness import believed, made_log
from tests.harness.line.intake_stack import BODY, stack
from tests.harness.programs import command
from tests.harness.waiting import until
from tests.integration.intake.test_hostile import served

pytestmark = pytest.mark.servers


@pytest.fixture
def bare(database: str, key_files: tuple[Path, Path], tmp_path: Path) -> Settings:
    trust = believed.file(tmp_path / "trust.toml", made_log.policy())
    return Settings(kafka="nowhere:1", database=database, master_key_file=key_files[0], trust=trust, instance="test", drill_clock=True)


async def test_a_token_is_shown_once_and_can_be_revoked(bare: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "shown", lambda _: peer.Peer(True, Name(Plane.AGENCIES, "school-drita")))
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


async def test_nobody_but_its_owner_sets_the_password_of_an_account(bare: Settings) -> None:
    """An operator prints a code, good for a quarter of an hour and once; also to take a password away."""
    add = ("staff", "add", "Agim", "--agency", "police-prizren", "--language", "sr-Cyrl", "--json")
    code, said = await command(bare, *add)
    assert code == 0, said
    made = json.loads(said)
    async with stack(bare) as intake:

        async def owner_sets(code: str, password: str, *, after: int = 0) -> str | None:
            async with intake.door.begin() as tx:
                now = await clock.now(tx) + after
                account = await invited.invited(tx, code, now)
                if account is None or not await invited.use(tx, account.id, code, passwords.hashed(password)):
                    return None
                return account.id

        async def stored() -> str:
            async with intake.door.begin() as tx:
                found = await store.by_login(tx, "agim")
            assert found is not None and (found[0].id, found[0].language, found[0].desk) == (made["id"], "sr-Cyrl", False)
            return found[1]

        late = random_secret.IN_A_CALL_US + 1
        assert await owner_sets(made["code"], "correct horse battery", after=late) is None, "a quarter of an hour is over"
        assert await owner_sets(made["code"], "correct horse battery") == made["id"]
        assert await owner_sets(made["code"], "another horse battery") is None, "it was used"
        assert rules.matches(await stored(), "correct horse battery") and not rules.matches(await stored(), "correct horse")
        for bad, hint in (
            (add, "login-taken"),
            (("staff", "add", "beni", "--agency", "nobody"), "unknown-agency"),
            (("staff", "disable", "beni"), "unknown-login"),
            (("staff", "password", "beni"), "unknown-login"),
        ):
            code, said = await command(bare, *bad)
            assert (code, hint in said) == (1, True), said
        code, said = await command(
            bare, "staff", "add", "beni", "--agency", "police-prizren", "--password-stdin", typed="long enough words\n"
        )
        assert code == 2 and "No such option" in said, "no operator types another's password"
        assert await intake.queued(ROSTER_BOOK) == ["account-changed.v1"], "the log says who made it"
        code, said = await command(bare, "staff", "password", "agim", "--json")
        assert code == 0 and not rules.matches(await stored(), "correct horse battery"), "the old one is worth nothing"
        again = json.loads(said)["code"]
        assert await owner_sets(again, "a third horse battery", after=late) is None
        assert await owner_sets(again, "a third horse battery") == made["id"]
        assert rules.matches(await stored(), "a third horse battery")
        assert (await command(bare, "staff", "disable", "agim"))[0] == 0
        assert await intake.queued(ROSTER_BOOK) == ["account-changed.v1"] * 3
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
