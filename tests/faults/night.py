"""A night of calls: `python -m tests.faults.night --minutes 60`. The trunk is SIPp, knocks are late, and the line is ended and begun anew.

Whoever is called listens for six seconds and presses 1. Each call must count, also one under way when its notifier is told to end; and no
supervisor may restart a notifier because its work is late. Exit 1 when a call did not count.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from referral.channels import prompts
from referral.cli import console
from referral.cli.stack import cast, up
from referral.local.config import StackConfig
from referral.local.stack import Stack
from referral.roster import changes, log
from referral.runtime.keys import case_keys
from referral.runtime.postgres import clock, database
from services.notifier.pace import pace
from tests.faults.load import SENDER
from tests.harness import callers
from tests.harness.trunks import ANSWERED, BYE, Sipp, info, scenario, sipp
from tests.harness.waiting import until
from tests.integration.local.test_late import ASKED, CALL

LISTENS_MS = 6_000
EVERY_S, PASSES_MIN, LASTS_S = 20.0, 3, 600.0
"""Seconds between two referrals; minutes that pass then by the line's clock, after which the telephone rings; seconds until the line is
ended, in the middle of calls, and begun anew."""
HELD_BACK_S = pace("voice").gather + 60.0
"""Whoever was called five times in an hour is called again after twelve minutes (services/notifier/pace.py): that long nobody may be."""
MOST = 100_000
LEFT = (
    "SELECT state, word, reason, count(*) FROM notifier.delivery WHERE channel = 'voice' AND case_id <> 'made-up'"
    " GROUP BY state, word, reason ORDER BY 4 DESC"
)
CALLING = "SELECT count(*) FROM notifier.delivery WHERE channel = 'voice' AND state = 'WAITING' AND lease_until IS NOT NULL"
DUE = CALLING.replace("lease_until IS NOT NULL", "due_at <= $1 AND case_id <> 'made-up'")
"""Calls that were due at that moment. Later ones fall due all the time, as nobody goes on after key 1."""


@dataclass
class Seen:
    """What the night showed so far. restarts: of the notifier, by its supervisor. late: looks at which it said that knocks are late."""

    referrals: int = 0
    ends: int = 0
    ended_in_calls: int = 0
    restarts: int = 0
    late: int = 0
    looks: int = 0


def trunk() -> str:
    """Return the scenario of every call: answered, six seconds, key 1, and whoever called hangs up."""
    return scenario(*ANSWERED, f'<pause milliseconds="{LISTENS_MS}"/>', info("1"), *BYE)


def counted(folder: Path) -> tuple[int, int]:
    """Return (calls that went as the scenario says, calls that did not), by SIPp's own statistics."""
    (file,) = folder.glob("scenario_*_.csv")
    *_, last = csv.DictReader(file.read_text().splitlines(), delimiter=";")
    return int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])


@contextlib.asynccontextmanager
async def line(data: Path) -> AsyncIterator[tuple[Stack, asyncpg.Connection]]:  # type: ignore[type-arg]
    """Run the stack of `referral up --drill`, whose people have telephones."""
    config = StackConfig(data=data, drill=True, witnesses=up.WITNESSES, services=up.SERVICES, spare=up.SERVICES)
    async with up.running(config, console.console.print) as made:
        engine = database.admin(made.settings)
        try:
            async with engine.begin() as tx, log.change(tx, made.settings):
                for member in cast.load(data).staff:
                    if member.phone:
                        await changes.set_contact(tx, case_keys.read(made.settings), member.account, "voice", member.phone)
        finally:
            await engine.dispose()
        sql = await asyncpg.connect(made.addresses.database.replace("+asyncpg", ""))
        try:
            yield made, sql
        finally:
            await sql.close()


async def refer(made: Stack, seen: Seen) -> None:
    """Refer a made-up child for whom the telephone rings, and let minutes pass."""
    traits = {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "urgent", "sex": "female"}
    token = cast.load(made.config.data).tokens[SENDER]
    headers = {"Authorization": f"{callers.BEARER}{token}", "Idempotency-Key": str(uuid.uuid4())}
    async with callers.client(made, timeout=30) as http:
        answer = await http.post(f"{made.url('intake')}/v1/referrals", json={"traits": traits, "drill": True}, headers=headers)
    assert answer.status_code == 202, (answer.status_code, answer.text)
    seen.referrals += 1
    engine = database.admin(made.settings)
    try:
        async with engine.begin() as tx:
            await clock.advance(tx, made.settings, PASSES_MIN * 60_000_000)
    finally:
        await engine.dispose()


async def hours(data: Path, seen: Seen, until_s: float) -> None:
    """Run the line for LASTS_S, or until the night is over, and end it while somebody listens to a call."""
    async with line(data) as (made, sql):
        if not seen.ends:
            await sql.execute(ASKED)
            await sql.execute(CALL)
        ends = min(until_s, time.monotonic() + LASTS_S)
        while time.monotonic() < ends:
            await refer(made, seen)
            seen.late += "knocks-late" in made["notifier-1"].trouble
            console.console.print(f"{seen}", markup=False, highlight=False)
            await asyncio.sleep(EVERY_S)
        if ends == until_s:
            over = await sql.fetchval("SELECT runtime.clock()")

            async def made_all() -> bool:
                return not await sql.fetchval(DUE, over)

            await until(made_all, HELD_BACK_S + 300, what="every call that was due was made")
        else:
            await refer(made, seen)
            await until(lambda: sql.fetchval(CALLING), HELD_BACK_S, what="somebody is called")
            seen.ended_in_calls += 1
        seen.restarts += made["notifier-1"].restarts
        seen.ends += 1
        console.console.print(f"{seen}", markup=False)
        table = [(row["state"], row["word"] or "", row["reason"] or "", row["count"]) for row in await sql.fetch(LEFT)]
        seen.looks = sum(count for _, word, _, count in table if word == "LOOKS")
        console.table(("state", "answer", "reason", "knocks"), table, title="knocks by telephone")


async def night(folder: Path, minutes: float) -> bool:
    """Return whether each call counted."""
    sounds, place = folder / "prompts", folder / "trunk"
    sounds.mkdir()
    place.mkdir()
    await asyncio.to_thread(prompts.make, sounds)
    seen, ends = Seen(), time.monotonic() + minutes * 60
    running: Sipp
    async with sipp(place, trunk(), MOST, "-trace_stat", "-fd", "5") as running:
        os.environ |= {"REFERRAL_SIP": f"127.0.0.1:{running.port}", "REFERRAL_SIP_TLS": "never", "REFERRAL_PROMPTS": str(sounds)}
        while time.monotonic() < ends:
            await hours(folder / "data", seen, ends)
    whole, broken = counted(place)
    rows = [
        ("referrals", seen.referrals),
        ("calls that ended by key 1", whole),
        ("calls that broke", broken),
        ("knocks that they answered", seen.looks),
        ("looks at which knocks were late", seen.late),
        ("the line ended in the middle of a call", seen.ended_in_calls),
        ("restarts of a notifier by its supervisor", seen.restarts),
    ]
    console.table(("a night of calls", ""), rows)
    return whole > 0 and not broken and not seen.restarts and seen.late > 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.night", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="night-", ignore_cleanup_errors=True) as folder:
        return 0 if asyncio.run(night(Path(folder), asked.minutes)) else 1


if __name__ == "__main__":
    sys.exit(main())
