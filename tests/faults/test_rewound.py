"""The database is set back to a copy of five minutes ago with Kafka left ahead: units stop, `referral recover` goes on, nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import pytest
from msgspec import Struct

from referral.domain import events as e
from referral.local.config import StackConfig
from referral.proof.entry import CASE_TOPICS
from tests.faults.line import Line, running
from tests.faults.quiet import quiet
from tests.faults.verdict import FINE, doctor
from tests.harness.programs import command
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
POLICE, STEP = "police-prishtine", "police"


async def test_a_database_set_back_five_minutes_goes_on_from_the_log(tmp_path: Path) -> None:
    async with running(StackConfig(data=tmp_path, drill=True)) as line:
        old = await line.refer("before-the-copy")
        waiting = await line.offer(POLICE, old["case_id"], STEP)
        await quiet(line.stack)
        data, copy = tmp_path / "postgres" / "data", tmp_path / "copy"
        await line.stack["postgres"].hold()
        shutil.copytree(data, copy, symlinks=True)
        await line.stack["postgres"].release()
        await line.ready()

        await line.pass_time(5)
        new = [await line.refer(f"after-the-copy-{n}") for n in range(3)]
        answered = [await line.respond(POLICE, waiting["offer_id"], "ACCEPT")]
        for receipt in new[:2]:
            offer = await line.offer(POLICE, receipt["case_id"], STEP)
            answered.append(await line.respond(POLICE, offer["offer_id"], "ACCEPT"))
        cases = [old["case_id"], *(receipt["case_id"] for receipt in new)]
        for case_id in cases[:3]:
            await line.logged(case_id, e.OfferAccepted)
        assert await quiet(line.stack) == []
        before = {case_id: await by_topic(line, case_id) for case_id in cases}

        await line.stack["postgres"].hold()
        shutil.rmtree(data)
        copy.rename(data)
        await line.stack["postgres"].release()
        services = [name for name in line.stack.processes if "-" in name]
        await until(lambda: red(line), what="every writer says that it is stopped")
        said = {row["name"]: row for row in await doctor(line.stack) if row["result"] not in FINE}
        assert said, "the doctor sees it"
        assert "recover" in " ".join(row["do"] for row in said.values())
        assert await line.rows("SELECT count(*) FROM routing.case_state") == [(1,)], "nothing was decided meanwhile"

        code, said = await command(line.stack.settings, "recover")
        assert code == 0, said
        async with asyncio.timeout(60):
            for name in services:
                await line.stack[name].ready()
        assert await quiet(line.stack) == []
        for case_id in cases:
            assert await by_topic(line, case_id) == before[case_id], "not a word more or less"
        offer = await line.offer(POLICE, cases[3], STEP)
        answered.append(await line.respond(POLICE, offer["offer_id"], "ACCEPT"))
        fresh = await line.refer("after-recover")
        for case_id in (cases[3], fresh["case_id"]):
            await line.logged(case_id, e.OfferOpened)
        await line.logged(cases[3], e.OfferAccepted)
        assert await quiet(line.stack) == []

        everything = [body for case_id in (*cases, fresh["case_id"]) for body in await line.said(case_id, Struct)]
        opened = Counter(b.referral_id for b in everything if isinstance(b, e.CaseOpened))
        assert opened == Counter(r["referral_id"] for r in (old, *new, fresh)), "each opened once"
        responses = Counter(b.response_id for b in everything if isinstance(b, e.ResponseSubmitted))
        assert responses == Counter(r["id"] for r in answered)
        report = await line.verified()
        assert report.exit_code() == 0, report.findings
        assert [row for row in await doctor(line.stack) if row["result"] not in FINE] == []


async def by_topic(line: Line, case_id: str) -> dict[str, list[Struct]]:
    """What each topic says of a case, in order; audit reads the topics side by side."""
    said = await line.said(case_id, Struct)
    return {topic: [body for body in said if topic == body.TOPIC] for topic in CASE_TOPICS}  # type: ignore[attr-defined]


async def red(line: Line) -> bool:
    """Whether routing, intake and notifier call themselves not ready because units are stopped."""
    for service in ("intake", "routing", "notifier"):
        answer = await line.http.get(f"{line.stack.inner(service)}/readyz")
        if answer.status_code == 200 or "rewound" not in answer.text:
            return False
    return True
