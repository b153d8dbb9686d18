"""A whole site dies under load. The other one has a standby of the database and an empty broker: topics are made again, and it goes on."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from referral.local.config import StackConfig
from referral.local.stack import Stack
from referral.runtime.bootstrap import prepare_topics
from referral.runtime.settings import LINE
from tests.faults import servers
from tests.faults.line import running
from tests.faults.quiet import quiet
from tests.faults.test_servers_ha import TAIL, facts, loaded, named
from tests.faults.verdict import judge
from tests.harness.programs import command
from tests.harness.waiting import PATIENCE_S, until

TAKEN = 30
"""Things that are acknowledged before the site dies."""
UNLOGGED = (
    "SELECT 1 FROM routing.outgoing AS o JOIN audit.logged AS l ON l.place = 'referral-routing/' || o.partition"
    ' WHERE o.published > l."offset"'
)
pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(1800)]


async def test_a_site_is_lost_and_the_other_one_goes_on(tmp_path: Path, record_property: Any) -> None:
    async with running(StackConfig(data=tmp_path, standbys=1)) as line:
        stack = line.stack
        await servers.follows(stack, stack["postgres-2"])
        async with loaded(line, 18) as (load, pulse):
            await until(lambda: load.done >= TAKEN, 4 * PATIENCE_S, "there is something to lose")
            await stack["audit-1"].hold()  # what is published from here on is in no log
            await until(lambda: load.done >= TAKEN + servers.GROWTH, what="more is taken")
            await until(lambda: line.rows(UNLOGGED), what="something is published that is not in the log")
            await all_die(stack)
            taken, began = load.done, time.monotonic()

            await stack["postgres-2"].release()
            new = await servers.promote(stack)
            shutil.rmtree(tmp_path / "kafka" / "data")
            (tmp_path / "kafka" / "formatted").unlink()
            await stack["kafka"].release()
            await prepare_topics(stack.settings)
            rebuilding = time.monotonic()
            code, said = await command(stack.settings, "topics", "rebuild", within=4 * PATIENCE_S)
            assert code == 0, said
            rebuilt = time.monotonic() - rebuilding
            await asyncio.gather(*(process.release() for service in LINE for process in stack.of(service)))
            await pulse.flows(time.monotonic())
            record_property("figure", f"{new.name} promoted, topics made again in {rebuilt:.1f} s, the line goes on after "
                            f"{time.monotonic() - began:.1f} s; {taken} things had a receipt before")  # fmt: skip
            again = dict(re.findall(r"database\W+(\D+?)\W+(\d+)", said))
            record_property("figure", "set right: " + ", ".join(f"{number} {name}" for name, number in again.items()))
            assert int(again["records to publish again"]) > 0, said
            await servers.rejoin(stack, stack["postgres"])
        assert await quiet(stack) == []
        verdict = await judge(stack, load)
        lost = {name: verdict.counts.pop(name) for name in TAIL}
        record_property("figure", f"what the standby had not got: {named(lost)}")
        record_property("figure", facts(verdict))
        assert verdict.good, verdict
        assert sum(lost.values()) <= taken / 10, lost

        code, said = await command(stack.settings, "topics", "rebuild", within=4 * PATIENCE_S)
        assert (code, "not-empty" in said) == (1, True), "a line that lives is left alone"


async def all_die(stack: Stack) -> None:
    """Kill every process at once, and start none again."""
    names = ["postgres", "postgres-2", "kafka", *(process.name for service in LINE for process in stack.of(service))]
    await asyncio.gather(*(stack[name].hold() for name in names))
