"""Audit behind a real line: everything is ingested, the commands judge and tell it, and a change in the table is named."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import text

from referral.cli.audit import live_log
from referral.domain.events import OfferAccepted, OfferOpened, Word
from referral.runtime.kafka import clients, scan
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from referral.tlog import note
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from services.audit.__main__ import service as audit_service
from tests.harness import made_log
from tests.harness.line import audit_stack
from tests.harness.line.routing_stack import Line, answer, new_id, referral, running
from tests.harness.programs import command

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[3]
NAMES = "--trust-log-names"
"""This line's `trust.toml` puts writers, approvers and operators off."""


async def publish(line: Line) -> None:
    """What the publisher does, by the keys of tests.harness.made_log."""
    async with line.admin() as tx:
        head = (await tx.execute(text("SELECT size, root FROM audit.head"))).one()
        made = Checkpoint(made_log.ORIGIN, head.size, head.root).sign(made_log.LOG)
        cosigned = Note(made.text, (*made.signatures, *(note.sign(made.text, key, int(time.time())) for key in made_log.WITNESSES)))
        await tx.execute(
            text("INSERT INTO audit.checkpoint VALUES (:size, :root, :note, 0, :cosigned, :cosigned)"),
            {"size": head.size, "root": head.root, "note": made.encode(), "cosigned": cosigned.encode()},
        )


async def exported_as_the_database_says(settings: Settings, tmp_path: Path, case_id: str, erased: str) -> None:
    """The export, judged alone, leads to the same verdict; only what was lent is read."""
    policy, key, folder = tmp_path / "trust.toml", tmp_path / "auditor.key", tmp_path / "export"
    policy.write_bytes(settings.trust.read_bytes())
    assert (await command(settings, "audit", "reader", str(key)))[0] == 0
    words = ("audit", "export", str(folder), "--for", f"{key}.pub", "--trust", str(policy), "--json")
    code, output = await command(settings, *words, "--case", erased)
    assert code == 1 and "unknown-case" in output
    code, output = await command(settings, *words, "--case", case_id)
    assert code == 0 and json.loads(output)["keys"] == 1, output
    code, output = await command(settings, "audit", "verify", str(folder), "--key", str(key), "--trust", str(policy), NAMES, "--json")
    offline = json.loads(output)
    assert (code, offline["verdict"]) == (0, "good"), offline
    code, output = await command(settings, "audit", "verify", "--trust", str(policy), NAMES, "--json")
    online = json.loads(output)
    new = [found for found in online["findings"] if found not in offline["findings"]]
    assert online["verdict"] == "good" and {found["code"] for found in new} == {"ABOVE", "READ"}, (
        "the lending itself stands above the export"
    )
    for of in (offline, online):
        assert of["counts"].pop("entries") - of["counts"].pop("readings") == offline["entries"] - 1, "one case was opened before"
    assert online["counts"] == offline["counts"]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


async def test_the_log_of_a_real_line_is_good_told_and_tampering_is_named(
    settings: Settings, tmp_path: Path, stack: AsyncExitStack
) -> None:
    async with running(settings) as line:
        await line.activate()
        case_id, erased = new_id(), new_id()
        for case in (case_id, erased):
            await line.post(case, referral())
            (police,) = await line.wait_for(case, OfferOpened, step="police")
            await line.post(case, answer(police, Word.ACCEPT))
            await line.wait_for(case, OfferAccepted)
        await line.close_case(erased)
        await line.erase(erased, records=3)
        writer = clients.producer(settings)
        await writer.start()
        await writer.send_and_wait(settings.topic("referral-notification"), b"none of ours", key=b"x", partition=4)
        await writer.stop()
        await line.logged()
        total = sum((await scan.ends(settings, audit_service().reads)).values())
        total -= await line.scalar("SELECT coalesce(sum(times), 0) FROM audit.repeat")  # published again, and no entry
        quarantined = (await scan.ends(settings, ["referral-quarantine"]))["referral-quarantine", 0]

    code, output = await command(settings, "audit", "verify", "--json")
    report = json.loads(output)
    assert (code, report["verdict"]) == (0, "good"), report
    assert {f["code"] for f in report["findings"]} == {"UNREADABLE", "ERASED", "NO_CHECKPOINT"}
    assert report["counts"]["cases"] == 2 and report["counts"]["cases erased"] == 1
    assert report["counts"]["entries"] in (total + 1, total + 1 - quarantined), "one more: the keys, which audit says itself"
    code, output = await command(settings, "audit", "verify")
    assert code == 0 and "GOOD: the log is whole" in output

    stack.push_async_callback((engine := database.engine(settings, "audit")).dispose)
    await stack.enter_async_context(audit_stack.recording(settings, engine))
    code, output = await command(settings, "audit", "replay", "--case", case_id)
    assert code == 0 and "police-prizren is asked (police)" in output and "why: next in the order of the procedure" in output
    code, output = await command(settings, "audit", "replay", "--case", erased, "--json")
    assert code == 0 and {entry["mark"] for entry in json.loads(output)["lines"]} == {"erased", "unverified"}
    code, output = await command(settings, "audit", "replay", "--case", new_id())
    assert code == 1 and "unknown-case" in output

    await publish(line)
    await exported_as_the_database_says(settings, tmp_path, case_id, erased)

    async with line.admin() as tx:
        last = (await tx.execute(text("SELECT max(idx) FROM audit.entry WHERE case_id = :case"), {"case": case_id})).scalar_one()
        await (await tx.get_raw_connection()).driver_connection.execute(  # type: ignore[union-attr]
            "ALTER TABLE audit.entry DISABLE TRIGGER append_only;"
            f"UPDATE audit.entry SET value = value || '\\x00' WHERE idx = {last}; ALTER TABLE audit.entry ENABLE TRIGGER append_only"
        )
    policy = str(tmp_path / "trust.toml")
    code, output = await command(settings, "audit", "verify", "--trust", policy, "--json")
    report = json.loads(output)
    assert (code, report["first_bad"], report["layer"]) == (1, last, "payload")
    assert "HASH_DIFFERS" in {f["code"] for f in report["findings"] if f["idx"] == last}


async def test_a_reading_that_fails_gives_its_connection_back(bare: Settings) -> None:
    """A refused question, of an unknown case for one, ends the block by an exception."""

    def refused() -> None:
        with live_log.opened(bare):
            raise ZeroDivisionError

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(refused)
        gc.collect()
    assert [str(each.message) for each in told if "garbage collector" in str(each.message)] == []


async def test_without_a_database_the_commands_say_so(settings: Settings) -> None:
    gone = structs.replace(settings, database="postgresql+asyncpg://postgres@127.0.0.1:9/x", topic_prefix="")
    for words in (("audit", "verify"), ("audit", "replay", "--case", "c"), ("doctor",), ("policy", "activate")):
        code, output = await command(gone, *words)
        assert code == 2 and "the database is away" in output and "Traceback" not in output, output


async def test_without_a_broker_doctor_says_so_in_one_line(settings: Settings) -> None:
    code, output = await command(structs.replace(settings, kafka="127.0.0.1:9", topic_prefix=""), "doctor")
    assert code == 2 and output == "referral: the broker is away; try again in 2 s\n", output
