"""Oversight on real servers: a year of children becomes twelve releases, the same from any start; what is bad is counted and named."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import text

from referral.domain.events import CaseErased, CaseOpened, Mark, Unit
from referral.domain.inputs import derived
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.wire import codec, seal, topics
from referral.wire.signed import erasure_approval
from services.oversight import feed
from services.oversight.calendar import closes
from services.oversight.disclosure.suppress import K
from tests.harness import destroyed
from tests.harness.erased import KEY
from tests.harness.line.oversight_stack import Line, line, metrics, process
from tests.harness.oversight_log import Record, year
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
CHILDREN = 120
"""Enough for some of the procedures to be told."""
FEW = 6
HOUR = 3_600_000_000
LOOKUPS = text("SELECT coalesce(idx_scan, 0) + seq_scan FROM pg_stat_all_tables WHERE schemaname = 'keys' AND relname = 'case_key'")


async def everywhere(settings: Settings) -> set[str]:
    admin = clients.admin(settings)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def test_a_year_is_told_and_told_alike_by_whoever_starts_anew(settings: Settings, tmp_path: Path) -> None:
    async with line(settings) as made:
        await made.write(year(CHILDREN))
        before = await everywhere(settings)
        await made.at(closes("2054-12") + 2 * HOUR)
        async with process(settings) as oversight:
            await oversight.answers()
            told = await made.published("2054-12")
            assert await oversight.stop() == 0
        made_since = {name for name in await everywhere(settings) - before if not name.endswith("oversight-feed")}
        assert not [name for name in made_since if "oversight" in name], "no changelog holds a count"
        figures = [figure for release in told for figure in release.figures]
        assert [release.made.month for release in told] == [f"2054-{month:02}" for month in range(1, 13)]
        assert any(figure.mark is Mark.SHOWN and figure.unit is Unit.CHILDREN for figure in figures), "nothing was told"
        assert all((figure.value or K) >= K for figure in figures if figure.unit is Unit.CHILDREN)
        assert await feed.read(settings) == told and all(feed.whole(release) for release in told)
        await made.forget()  # a database that has lost them
        async with process(settings) as oversight:
            assert await made.published("2054-12") == told


async def lookups(made: Line) -> int:
    """How often keys were looked for, by anybody."""
    async with made.admin.connect() as tx:
        return int((await tx.execute(LOOKUPS)).scalar_one())


def unhurried(said: str) -> list[str]:
    """The lines of a log without those in which Faust's timers complain of a busy machine."""
    return [line for line in said.splitlines() if '"where": "mode.timers:' not in line]


async def test_neither_metrics_nor_log_tell_when_something_was_said(settings: Settings, tmp_path: Path) -> None:
    real = structs.replace(settings, drill_clock=False)
    async with line(settings) as made, process(real) as oversight:
        await oversight.answers()
        before, logged, looked = await metrics(oversight), oversight.said(), await lookups(made)
        await made.write(year(FEW))
        seen = set[str]()

        async def read() -> bool:
            seen.update(await metrics(oversight))
            return await lookups(made) > looked

        await until(read)
        seen.update(await metrics(oversight))
        assert seen == set(before)
        assert all(float(row.split()[-1]) == 0 for row in before if "_created" not in row), before
        assert unhurried(oversight.said()) == unhurried(logged), "no line tells of an event"


def one_by_one(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record[1].case_id, []).append(record)
    return found


async def erased(made: Line, records: list[Record]) -> None:
    """As intake erases: the event, then the key."""
    meta = max((m for topic, m, _ in records if topic == CaseErased.TOPIC), key=lambda m: m.case_seq)
    nobody = CaseErased(
        requested_by=None, requested_at=1, approved_by=None, approved_at=1, basis="consent-withdrawn", records=meta.case_seq
    )
    body = erasure_approval.signed(KEY, meta.case_id, nobody)
    said = structs.replace(meta, type=body.TYPE, case_seq=meta.case_seq + 1)
    await made.write([(CaseErased.TOPIC, said, body)])
    async with made.admin.begin() as tx:
        await tx.execute(destroyed.KEYS, {"ids": [meta.case_id]})


async def test_what_is_bad_is_counted_and_named_and_stops_nothing(settings: Settings, tmp_path: Path) -> None:
    cases = list(one_by_one(list(year(FEW))).values())
    async with line(settings) as made:
        gone, gapped, drilled, repeated, forked, *rest = cases
        for case in (gone, repeated, forked, *rest):
            await made.write(case)
        await erased(made, gone)
        await made.write([record for record in gapped if not isinstance(record[2], CaseOpened)])
        await made.write([(topic, structs.replace(meta, drill=True), body) for topic, meta, body in drilled])
        await made.write(repeated)  # sealed anew: the last of each topic is a fork, those before it are repeats
        topic, meta, body = rest[0][0]
        place, key = topics.partition(meta.case_id), meta.case_id.encode()
        odd = structs.replace(meta, type="case-moved.v1", fingerprint=5, case_seq=999)
        unknown = seal.seal(made.keys[meta.case_id], topic, odd, codec.encode(body), os.urandom(12))
        await asyncio.gather(*[await made.raw(topic, place, key, value) for value in (b"nonsense", unknown)])
        await made.at(closes("2054-12") + 2 * HOUR)
        async with process(settings) as oversight:
            await oversight.answers()
            told = await made.published("2054-12")
            counted = {one.what: one.count for one in told[-1].made.counted}
            assert {"erased", "gap", "drill", "repeat", "fork", "unreadable", "unknown-type"} <= set(counted), counted
            assert all(count is None or count >= K or count == 0 for count in counted.values())
            topic, meta, body = rest[0][0]
            await made.write([(topic, structs.replace(meta, case_id=derived(meta.case_id, "late")), body)])
            await made.at(closes("2055-01") + 2 * HOUR)
            after = await made.published("2055-01")
            assert "late" in {one.what for one in after[-1].made.counted} - {one.what for one in told[-1].made.counted}
            assert await oversight.stop() == 0
            assert "nonsense" not in oversight.said()
