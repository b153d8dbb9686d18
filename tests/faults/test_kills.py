"""Ten kills under load, two instances of each service: nothing lost, nothing twice. `make faults` is the same with two hundred."""

from __future__ import annotations

import pytest

from tests.faults import campaign
from tests.faults.kill import injects
from tests.faults.line import Line

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]
SEED, KILLS = 3, 10


async def test_ten_kills_lose_nothing_and_repeat_nothing(line: Line) -> None:
    if not injects():
        pytest.skip("some of the kills hit the n-th system call: apt-get install strace")
    ran = await campaign.on(line.stack, SEED, KILLS, injected=2)
    assert ran.hits >= KILLS, campaign.table(ran)
    assert ran.injected >= 2
    assert ran.verdict.good, (f"seed {ran.seed}", ran.verdict)
    assert ran.verdict.facts["decisions re-executed"] > 0
