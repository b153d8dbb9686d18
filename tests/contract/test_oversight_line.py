"""Oversight on the real servers: children becomes twelve releases, the same from any start; what is bad is counted and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from referral.runtime.settings import Settings
from services.oversight import feed
from services.oversight.months import closes
from tests.contract.oversight_stack import line, process
from tests.unit.oversight_log import year

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
CHILDREN = 150
"""Enough for some of the procedures to be told."""


async def test_a_year_is_told_and_told_alike_by_whoever_starts_anew(settings: Settings, tmp_path: Path) -> None:
    async with line(settings) as made:
        await made.write(year(CHILDREN))
        await made.at(closes("2026-12") + 2 * 3_600_000_000)
        async with process(settings, tmp_path) as oversight:
            await oversight.ready()
            told = await made.published(12)
            assert await oversight.stop() == 0
        assert [release.made.month for release in told] == [f"2026-{month:02}" for month in range(1, 13)]
        on_the_feed = await feed.read(settings)
        assert on_the_feed == told and all(feed.whole(release) for release in told)
        await made.forget()
        async with process(settings, tmp_path) as oversight:
            await made.published(12)
