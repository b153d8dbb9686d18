"""Who is knocked, named from the command line; what an operator sees; and that nothing of an erased case stays."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from referral import cli
from referral.cli import roster
from referral.errors import Rejected
from services.notifier import roster as reading
from services.notifier.channels.email import Relay, relay
from services.notifier.duty import on_duty
from services.notifier.figures import Figures
from services.notifier.watch import LATE_SECONDS, Watch
from tests.contract.notifier_stack import Stack, opened, stack
from tests.erased import PLAIN

ACCOUNT = str(uuid.uuid5(uuid.NAMESPACE_URL, "officer"))


@pytest.fixture
async def notifier(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Stack]:
    async with stack(database, key_files[0]) as made:
        yield made


@pytest.fixture
def told(database: str, key_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of an operator's command line."""
    monkeypatch.setenv("REFERRAL_KAFKA", "unused:1")
    monkeypatch.setenv("REFERRAL_DATABASE", database)
    monkeypatch.setenv("REFERRAL_MASTER_KEY_FILE", str(key_files[0]))
    monkeypatch.setenv("REFERRAL_DRILL_CLOCK", "1")


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(cli.run, ["duty", *arguments])


async def test_a_person_named_on_the_command_line_is_on_duty(notifier: Stack, told: None, capsys: pytest.CaptureFixture[str]) -> None:
    add = ("person", ACCOUNT, "--agency", "police", "--rung", "duty", "--language", "sr-Cyrl", "--email", "marker.o@police.example")
    assert await run(*add) == await run(*add) == 0
    assert await run("shift", ACCOUNT, "daily 00:00-24:00", "--rung", "duty") == 0
    assert await run("absence", ACCOUNT, "2026-12-24 08:00", "2026-12-25 08:00") == 0
    async with notifier.engine.connect() as tx:
        known = await reading.load(tx, ["police"])
    at = roster.rota.moment("2026-12-23 12:00")
    assert [(p.account, p.language, p.channels) for p in on_duty(known, "police", "duty", at).people] == [(ACCOUNT, "sr-Cyrl", ("email",))]
    assert on_duty(known, "police", "duty", roster.rota.moment("2026-12-24 12:00")).people == ()
    capsys.readouterr()
    assert await run("show", "--json") == 0
    shown = capsys.readouterr().out
    assert "marker" not in shown and len(json.loads(shown)["weekly"]) == 7
    assert await run("remove", "weekly", str(json.loads(shown)["weekly"][0]["id"])) == 0
    assert await run("show") == 0
    assert await run("disable", ACCOUNT) == 0
    async with notifier.engine.connect() as tx:
        assert on_duty(await reading.load(tx, ["police"]), "police", "duty", at).people == ()


async def test_one_command_makes_the_account_and_its_contact_and_another_silences_both(
    notifier: Stack, told: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def staff(*arguments: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO("a long enough password\n"))
        return await asyncio.to_thread(cli.run, ["staff", *arguments])

    add = ("add", "officer", "--agency", "police-prishtine", "--password-stdin", "--email", "marker.o@police.example")
    assert await staff(*add) == 1  # no rung: nobody would ever knock there
    assert await notifier.rows("SELECT FROM intake.account") == []
    assert await staff(*add, "--rung", "duty-officer") == 0
    account = (await notifier.rows("SELECT id FROM intake.account"))[0].id
    people = await notifier.rows("SELECT account, agency, rungs, disabled FROM notifier.person")
    assert people == [(account, "police-prishtine", ["duty-officer"], False)]
    assert await staff("disable", "officer") == 0
    assert (await notifier.rows("SELECT disabled FROM notifier.person"))[0].disabled
    assert await staff("enable", "officer") == 0
    assert not (await notifier.rows("SELECT disabled FROM notifier.person"))[0].disabled


@pytest.mark.parametrize(
    "arguments",
    [
        ("person", "no-uuid", "--agency", "police", "--rung", "duty"),
        ("person", ACCOUNT, "--agency", "police", "--rung", "duty", "--language", "xx"),
        ("person", ACCOUNT, "--agency", "police", "--rung", "duty", "--email", "a b@c"),
        ("shift", ACCOUNT, "daily 00:00-24:00", "--rung", "duty"),
        ("remove", "weekly", "99"),
    ],
)
async def test_what_is_wrong_is_told_and_changes_nothing(notifier: Stack, told: None, arguments: tuple[str, ...]) -> None:
    assert await run(*arguments) == 1
    assert await notifier.rows("SELECT FROM notifier.person") == []


async def test_a_pause_shows_in_readiness_and_metrics(notifier: Stack, told: None) -> None:
    registry = CollectorRegistry()
    watch = Watch(notifier.engine, Figures(registry))
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    assert await run("pause", "--reason", "storm") == 0
    await watch.look()
    assert set(watch.against()) == {"knocks-paused"}
    assert "referral_knocks_paused 1.0" in generate_latest(registry).decode()
    assert await run("resume") == 0
    await watch.look()
    assert watch.against() == {}
    await notifier.advance((LATE_SECONDS + 1) * 1_000_000)
    await watch.look()
    assert set(watch.against()) == {"knocks-late"}
    assert await run("resume", "--drop") == 0
    await watch.look()
    assert watch.against() == {}


async def test_nothing_of_an_erased_case_stays(notifier: Stack) -> None:
    await notifier.person("a")
    gone, stays = await notifier.case(), await notifier.case()
    await notifier.tell(gone, opened())
    await notifier.tell(stays, opened())
    await notifier.tell(gone, PLAIN)
    assert notifier.alarms[gone] is None
    for table in ("asked", "delivery", "barred"):
        cases = {row.case_id for row in await notifier.rows(f"SELECT case_id FROM notifier.{table}")}
        assert gone not in cases
    assert await notifier.states() == ["WAITING"]


async def test_the_relay_is_read_from_the_environment(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("word\n")
    told = {"REFERRAL_SMTP_FROM": "inbox@x.example", "REFERRAL_SMTP_TLS": "required", "REFERRAL_SMTP_USER": "u"}
    told |= {"REFERRAL_SMTP_PASSWORD_FILE": str(secret)}
    assert relay("mail.example:587", told) == Relay("mail.example", 587, "inbox@x.example", True, "u", "word")
    assert "word" not in repr(relay("mail.example:587", told))
    wrong = {"REFERRAL_SMTP_TLS": "maybe"}, {"REFERRAL_SMTP_FROM": "nobody"}, {"REFERRAL_SMTP_PASSWORD_FILE": "/no/such/file"}
    for one in wrong:
        with pytest.raises(Rejected):
            relay("mail.example:587", one)
    with pytest.raises(Rejected):
        relay("mail.example", {})
