"""The stories are also told on the real line: doors, Kafka, routing, audit, with the same lines as in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from referral.cli import cast, up
from referral.cli.stage import Stage
from referral.client import Problem
from referral.local.wish import Wish
from tests.contract.told_line import ToldLine, alike
from tests.stories.teller import policy

pytestmark = [pytest.mark.servers, pytest.mark.timeout(280), pytest.mark.asyncio(loop_scope="module")]
TOLD = Path(__file__).parents[1] / "stories" / "told"
FAILURES = ("rung-failed", "lost", "taken")
"""Lines that only a failure of the line, or another case, can say."""
NOT_HERE = {
    "nobody-at-police": "two alarms of the same moment in memory are two moments on the line",
    "transfer-fails": "two alarms of the same moment in memory are two moments on the line",
    "unknown-municipality": "the door refuses the first line",
}
"""Stories that the line tells otherwise, each with the reason."""
POLICY = policy()


def stories() -> list[str]:
    """Those that agencies and desks can tell alone."""
    found = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in sorted(TOLD.glob("*.yaml"))}
    said = {name: {str(item["do"]).split()[0] for item in story["told"]} for name, story in found.items()}
    return [name for name in found if name not in NOT_HERE and not found[name].get("taken") and said[name].isdisjoint(FAILURES)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, kafka: str) -> AsyncIterator[Stage]:
    data = tmp_path_factory.mktemp("told")
    async with up.running(Wish(data=data, kafka=kafka, prefix=f"{data.name}.", drill=True)) as stack:
        made = Stage(stack, cast.load(data))
        yield made
        made.close()


@pytest.mark.parametrize("name", stories())
async def test_the_line_tells_the_same_story(stage: Stage, name: str) -> None:
    story = yaml.safe_load((TOLD / f"{name}.yaml").read_text("utf-8"))
    await asyncio.to_thread(tell, stage, name, story["told"])


def tell(stage: Stage, name: str, told: list[dict[str, Any]]) -> None:
    line = ToldLine(POLICY, stage, name)
    try:
        for item in told:
            then = item.get("then") or []
            try:
                now = line.tell(item["do"])
            except Problem as refused:  # a door may refuse what a decision would ignore
                assert then and all(said.startswith("ignored ") for said in then), f"after {item['do']!r}: {refused} instead of {then}"
            else:
                assert alike(now, then), f"after {item['do']!r}: {now} instead of {then}"
    finally:
        if line.case is not None and not line.case.closed:
            line.tell("desk CLOSE")  # its places are free for the next story
