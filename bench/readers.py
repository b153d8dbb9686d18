"""Measure those who used to read whole topics: `referral doctor`, and what oversight takes up when it starts.

Each look is a process of its own, so that its largest memory is its own. BENCH_BEFORE names a checkout of an older commit whose `doctor`
looks at the same line, for a comparison in the same run.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from msgspec import structs
from sqlalchemy import text

from bench import figures, fill
from bench.ground import Ground, say
from bench.plan import policy
from bench.rows import Row
from referral.analysis.simulation.caseload import worlds
from referral.analysis.simulation.world import World
from referral.domain.case import Case
from referral.domain.events import Meta
from referral.domain.inputs import derived
from referral.local.stack import Stack
from referral.runtime.keys import case_keys
from referral.runtime.loop.sequence import Last
from referral.runtime.postgres import bulk, database
from referral.runtime.settings import CHECKOUT, Settings
from referral.wire import case_state, codec
from referral.wire.signed.erasure_approval import Erasers
from services.oversight.counting.projection import TOPICS, Courses
from services.oversight.progress import Progress
from services.oversight.record_reader import RecordReader

LOOKED = (1_000, 10_000)
"""Cases with all their records on the topics, about 71 each. BENCH_CASES names other numbers."""
KEPT = (10_000, 100_000)
"""Cases that oversight has counted."""
SOME = 5_000
"""Cases that are stored by one statement."""
STATE = bulk.Table("routing.case_state", {"case_id": "text", "state": "bytea"})
DOCTOR = """
import asyncio, json, os, pickle, sys, time
from datetime import timedelta
from referral.runtime.postgres import database
async def look(settings, how):
    engine = database.admin(settings)
    async with engine.connect() as connection:
        tx = await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        found = await (gather(tx, settings) if how == "before" else gather(tx, settings, how == "all"))
    await engine.dispose()
    return len(found.records) if how == "before" else found.judged.fetched
settings, how = pickle.load(open(sys.argv[1], "rb")), sys.argv[2]
if how == "before":
    from referral.cli.admin.doctor_probe import gather
else:
    from referral.cli.admin.doctor import facts, reading
    gather = facts.gather
if how == "week":
    facts.DEALT = reading.MARGIN = timedelta(0)
"""
START = """
import asyncio, json, os, pickle, sys, time
from bench.readers import loaded
look, how = loaded, None
settings = pickle.load(open(sys.argv[1], "rb"))
"""
MEASURED = """
began = time.process_time()
count = asyncio.run(look(settings, how))
status = open("/proc/self/status").read()  # ru_maxrss would be that of the process that started this one, if it is larger
print(json.dumps([count, time.process_time() - began, int(status.partition("VmHWM:")[2].split()[0]) / 1000]))
"""


async def look(settings: Settings, program: str, how: str, checkout: Path = CHECKOUT) -> tuple[int, float, float]:
    """Run a program in a process of its own. Return what it counted, seconds of its processor time, and its largest memory, MB."""
    with tempfile.NamedTemporaryFile() as file:
        pickle.dump(settings, file)
        file.flush()
        command = [sys.executable, "-c", program + MEASURED, file.name, how]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=checkout, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
    assert process.returncode == 0, f"the look `{how}` failed"
    count, seconds, memory = json.loads(said)
    return count, seconds, memory


async def doctor(at: Ground) -> AsyncIterator[Row]:
    """Look at lines of different sizes: at a week in which nothing came, at everything, and with the older program at everything."""
    before = os.environ.get("BENCH_BEFORE")
    for cases in tuple(int(one) for one in os.environ.get("BENCH_CASES", "").split()) or LOOKED:
        async with at.line("intake") as made:
            told = await asyncio.to_thread(figures.templates, made)
            chest = await fill.case_keys(made, [derived(figures.FAMILY, str(n)) for n in range(cases)])
            await made["intake-1"].stop()
            count = await figures.put(made, figures.records(told, chest, time.time_ns() // 1000))
            await states(made, chest)
            say(f"doctor looks at {count:,} records of {cases:,} cases")
            whole = await look(made.settings, DOCTOR, "all")
            assert whole[0] == count, f"{whole[0]} of {count} records were read"
            week = await look(made.settings, DOCTOR, "week")
            old = await look(made.settings, DOCTOR, "before", Path(before)) if before else (0, 0.0, 0.0)
        for name, one in (("a week without records", week), ("--all", whole)):
            of = f"doctor of {cases:,} cases, {name}"
            yield Row(name=f"{of}: records fetched", value=one[0], unit="", reference=old[0] or None, against="before")
            yield Row(name=f"{of}: processor time", value=one[1], unit="s", reference=old[1] or None, against="before")
            yield Row(name=f"{of}: largest memory", value=one[2], unit="MB", reference=old[2] or None, against="before")


async def states(made: Stack, chest: dict[str, bytes]) -> None:
    """Give each case a state, as routing would have stored it."""
    rules = policy(made.settings.policy)
    world = World(next(iter(worlds(rules, figures.TEMPLATES, 1, 2027))), rules)
    last = dict[str, Case]()
    while world.next_at is not None:
        if (done := world.step()) is not None:
            last[done.live.id] = done.case
    ended = list(last.values())
    engine = database.admin(made.settings)
    try:
        for some in _some(list(chest)):
            rows = []
            for number, case_id in enumerate(some):
                case = structs.replace(ended[number % len(ended)], case_id=case_id)
                rows.append({"case_id": case_id, "state": case_state.seal(chest[case_id], case, os.urandom(12))})
            async with engine.begin() as tx:
                await bulk.write(tx, {STATE: rows})
    finally:
        await engine.dispose()


async def progress(at: Ground) -> AsyncIterator[Row]:
    """Store what oversight has counted of so many cases, and take it up in another process."""
    for cases in KEPT:
        async with at.line("oversight") as made:
            told = await asyncio.to_thread(figures.templates, made)
            await made["oversight-1"].stop()
            chest = await fill.case_keys(made, [derived(figures.FAMILY, str(n)) for n in range(cases)])
            began = time.process_time()
            await counted(made, told, list(chest))
            say(f"{cases:,} cases were stored in {time.process_time() - began:.1f} s of processor time")
            count, seconds, memory = await look(made.settings, START, "")
            assert count == cases, f"{count} of {cases} cases were taken up"
            engine = database.admin(made.settings)
            async with engine.connect() as tx:
                size = (await tx.execute(text("SELECT pg_total_relation_size('oversight.counted')"))).scalar_one()
            await engine.dispose()
        yield Row(name=f"oversight takes up {cases:,} cases: processor time", value=seconds, unit="s")
        yield Row(name=f"oversight takes up {cases:,} cases: largest memory", value=memory, unit="MB")
        yield Row(name=f"oversight takes up {cases:,} cases: rows", value=size / cases, unit="bytes a case")


async def counted(made: Stack, told: list[list[figures.Said]], ids: Sequence[str]) -> None:
    """Store cases as oversight would after reading these events of each, under their ids."""
    courses, engine = Courses(), database.admin(made.settings)
    for number, events in enumerate(told):
        for said in events:
            meta = Meta(
                event_id=derived(figures.FAMILY, "any"),
                case_id=str(number),
                case_seq=said.seq,
                type=said.type,
                fingerprint=0,
                cause_id=derived(figures.FAMILY, "any"),
                recorded_at=time.time_ns() // 1000,
                source="bench",
                drill=False,
            )
            courses.note(said.topic, meta, codec.decode(said.type, codec.fingerprint(said.type), said.body))
    dumped = [state for number in range(len(told)) if (state := courses.dump(str(number))) is not None]
    last = [(topic, Last(9, bytes(72))) for topic in sorted(TOPICS)]
    reading = RecordReader(Courses(), Erasers())
    stored = Progress(engine, case_keys.read(made.settings), reading)
    try:
        for some in _some(ids):
            for number, case_id in enumerate(some):
                reading.load(case_id, last, None, dumped[number % len(dumped)])
            reading.changed.update(some)
            await stored.save({}, 0)
    finally:
        await engine.dispose()


async def loaded(settings: Settings, _: None) -> int:
    """Take up what is stored. Return the number of cases."""
    engine, reading = database.admin(settings), RecordReader(Courses(), Erasers())
    stored = Progress(engine, case_keys.read(settings), reading)
    await stored.positions()
    assert await stored.load(), "what was stored is not what was found"
    await engine.dispose()
    return stored.head.rows


def _some(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[at : at + SOME] for at in range(0, len(ids), SOME)]
