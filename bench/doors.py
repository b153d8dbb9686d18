"""Measure the doors: referrals over HTTP, durable when answered, and the time from there to the first knock."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

from bench.ground import Ground, admin, say, until
from bench.posting import Done
from bench.rows import Row, at_least, at_most, percentile
from bench.weight import cpu, peak
from referral.cli.stack import cast
from referral.local.stack import Stack
from referral.runtime.settings import CHECKOUT, LINE

SENDERS = 12
"""Agencies that send in turn: one of them alone would use up its hour of bytes (`crowd.BYTES_FOR_ONE`) after 1,900 referrals."""
BODY = CHECKOUT / "examples" / "referral.json"
MOST = 32  # connections at once
PROMISED = 300  # referrals a second
COUNT = 3000
KNOCK_RATE, KNOCKS = 50, 1500
TOLD = "SELECT count(DISTINCT case_id) >= $1 FROM notifier.delivery WHERE state = 'SENT'"
MEMORY_MB = 200


def referral() -> dict[str, Any]:
    """Return the example of the docs as no exercise, which has a tenth of the room, for a child with somebody beside it: only the police
    are asked at first."""
    body: dict[str, Any] = json.loads(BODY.read_text())
    body["drill"] = False
    body["traits"]["flags"] = []
    return body


async def post(made: Stack, rate: float, count: int, connections: int = MOST) -> list[Done]:
    """Let another process send referrals. Return the answer to each. AssertionError: one was refused."""
    tokens, body = cast.load(made.config.data).tokens, made.config.data / "body.json"
    senders = [(tokens[agency], str(made.agency(agency))) for agency in sorted(tokens) if agency.startswith("school-")][:SENDERS]
    body.write_text(json.dumps(referral()))
    words = ("-m", "bench.posting", made.url("intake"), str(body), str(rate), str(count), str(connections))
    own = {"REFERRAL_SENDERS": json.dumps(senders)}
    child = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=CHECKOUT, env=os.environ | own, stdout=asyncio.subprocess.PIPE)
    answer, _ = await child.communicate()
    answers: list[Done] = json.loads(answer)
    assert [status for _, _, status, _ in answers] == [202] * count, {status for _, _, status, _ in answers}
    return answers


async def intake(at: Ground) -> AsyncIterator[Row]:
    """Measure intake alone: its doors, and its loop that publishes the referrals."""
    async with at.line("intake") as made:
        await until(lambda: _knows_policy(made))
        await post(made, 100, 200)
        say(f"{COUNT} referrals over {MOST} connections")
        before = cpu(made["intake-1"].pid)
        answers = await post(made, 0, COUNT)
        used = (cpu(made["intake-1"].pid) - before) / COUNT * 1000
        seconds = max(end for _, end, _, _ in answers) - min(start for start, _, _, _ in answers)
        yield at_least("intake over HTTP, durable", COUNT / seconds, "1/s", PROMISED)
        yield Row(name="  CPU of intake for one referral", value=used, unit="ms")
        say(f"{PROMISED // 2} referrals a second")
        answers = await post(made, PROMISED / 2, COUNT // 2)
        waited = [(end - due) * 1000 for due, end, _, _ in answers]
        yield Row(name=f"intake at {PROMISED // 2} a second, p50", value=percentile(waited, 0.5), unit="ms")
        yield at_most(f"intake at {PROMISED // 2} a second, p99", percentile(waited, 0.99), "ms", 100)


async def _knows_policy(made: Stack) -> bool:
    """Return whether intake has read the policy in force; until then it refuses with 503."""
    try:
        await post(made, 0, 1, 1)
    except AssertionError:
        return False
    return True


async def knock(at: Ground) -> AsyncIterator[Row]:
    """Measure the whole line at 50 referrals a second: from the 202 to the mail server, with CPU and memory of the services."""
    async with at.line(*LINE) as made, admin(made) as connection:
        await until(lambda: _knows_policy(made))
        say(f"{KNOCKS} referrals at {KNOCK_RATE} a second through the whole line")
        before = {service: cpu(made[f"{service}-1"].pid) for service in LINE}
        answers = await post(made, KNOCK_RATE, KNOCKS)
        await until(lambda: connection.fetchval(TOLD, KNOCKS + 1))
        # Only messages that were sent singly: a person who had many gets one message a minute for the rest.
        rows = await connection.fetch("SELECT reference, case_id FROM notifier.delivery WHERE attempt > 0")
        cases = {row["reference"]: row["case_id"] for row in rows}
        knocked_at: dict[str, float] = {}
        for mail in made.mailbox.mails:
            reference = re.search(r"<([0-9a-f-]{36})@", str(mail.message["Message-ID"]))
            assert reference is not None
            knocked_at.setdefault(cases[reference.group(1)], mail.at)
        waited = [knocked_at[case_id] - end for _, end, _, case_id in answers if case_id in knocked_at]
        yield Row(name=f"accepted to first knock at {KNOCK_RATE} a second, p50", value=percentile(waited, 0.5), unit="s")
        yield at_most(f"accepted to first knock at {KNOCK_RATE} a second, p99", percentile(waited, 0.99), "s", 1)
        for service in LINE:
            used = (cpu(made[f"{service}-1"].pid) - before[service]) / KNOCKS * 1000
            yield Row(name=f"  CPU of {service} for one referral", value=used, unit="ms")
            yield at_most(f"memory of {service} under this load", peak(made[f"{service}-1"].pid), "MB", MEMORY_MB)
