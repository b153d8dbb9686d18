"""Oversight is killed wherever it speaks to broker or database: the releases are byte for byte those of a run that nobody disturbed.

`make faults` kills twenty times, `make test` fewer (REFERRAL_KILL_STEP). Each time it starts anew, goes on where it had last stored what
it counted, and with the release that it was at: half stored is not stored, and half published is published again with the same bytes.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from pathlib import Path

import pytest

from referral.runtime.settings import Settings
from services.oversight import feed
from services.oversight.calendar import closes
from services.oversight.release import Release
from tests.harness.line.oversight_stack import Line, line, process
from tests.harness.oversight_log import year
from tests.harness.programs import Program
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
SEED = 7
KILLS = max(20 // int(os.environ.get("REFERRAL_KILL_STEP", "10")), 2)
CHILDREN = 60
LAST = "2054-12" if KILLS == 20 else "2054-03"
"""The last period that is told: each takes a second or two."""
HOUR = 3_600_000_000


async def undisturbed(made: Line, folder: Path) -> tuple[list[Release], int]:
    """What it tells of the year, and how many messages it sends until then."""
    calls = folder / "calls"
    async with process(made.settings, "strace", "-D", "-f", "-e", "trace=sendto", "-o", str(calls)) as oversight:
        await oversight.answers()
        told = await made.published(LAST)
        await oversight.stop()
    return told, len(re.findall(r"\bsendto\(", calls.read_text(errors="replace")))


async def test_killed_anywhere_it_tells_the_same(settings: Settings, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("system calls cannot be struck here: apt-get install strace")
    async with line(settings) as made:
        await made.write(year(CHILDREN))
        await made.at(closes(LAST) + 2 * HOUR)
        expected, calls = await undisturbed(made, tmp_path)
        on_the_feed = await feed.read(settings)
        assert on_the_feed == expected and calls > 50
        await made.forget(feed_too=True)
        dice, struck, stages = random.Random(SEED), 0, set[tuple[int, int]]()
        while struck < KILLS or len(stages) < 2:  # two kills may be at the same place
            rule = f"inject=sendto:signal=SIGKILL:when={dice.randrange(1, calls)}"
            async with process(settings, "strace", "-D", "-f", "-e", "trace=sendto", "-e", rule, "-o", "/dev/null") as oversight:

                async def ended_or_told(oversight: Program = oversight) -> bool:
                    stored, waiting = await made.releases()
                    return not oversight.runs() or (not waiting and any(release.made.month == LAST for release in stored))

                await until(ended_or_told)
                struck += not oversight.runs()
            stored, waiting = await made.releases()
            stages.add((len(stored), len(waiting)))
            assert stored == expected[: len(stored)], "a release is another one"
            assert all(feed.whole(told) for told in await feed.read(settings)), "half of a release was published as a whole"
            if len(stored) == len(expected) and not waiting:
                await made.forget(feed_too=True)  # all is told: from the beginning
        async with process(settings) as oversight:
            await made.published(LAST)
            await oversight.stop()
        assert (await made.releases())[0] == expected == await feed.read(settings)
