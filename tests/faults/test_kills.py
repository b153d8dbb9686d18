"""Ten kills under load, two instances of each service: nothing lost, nothing twice. `make faults` is the same with two hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import campaign
from tests.faults.kill import injects

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
SEED, KILLS = 3, 10


async def test_ten_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    if not injects():
        pytest.skip("some of the kills hit the n-th system call: apt-get install strace")
    ran = await campaign.run(tmp_path, SEED, KILLS, injected=2)
    assert ran.hits >= KILLS, campaign.table(ran)
    assert ran.injected >= 2
    assert ran.verdict.good, (f"seed {ran.seed}", ran.verdict)
    assert ran.verdict.facts["decisions re-executed"] > 0
