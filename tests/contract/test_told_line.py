"""Stories that are also told on the real line: doors, Kafka, routing, audit, with the same lines as in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from referral.cli import cast, up
from referral.cli.stage import Stage
from referral.local.wish import Wish
from tests.contract.told_line import ToldLine, alike
from tests.stories.teller import policy

pytestmark = [pytest.mark.servers, pytest.mark.timeout(280), pytest.mark.asyncio(loop_scope="module")]
TOLD = Path(__file__).parents[1] / "stories" / "told"
STORIES = (
    "calm-path",
    "emergency",
    "statutory-duty-regained",
    "risk-without-agreement",
    "foreign-child-returns",
)
"""Of each procedure one or more; none that needs what only a failure of the line can say (a lost record, a rung without anybody)."""
POLICY = policy()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, kafka: str) -> AsyncIterator[Stage]:
    data = tmp_path_factory.mktemp("told")
    async with up.running(Wish(data=data, kafka=kafka, prefix=f"{data.name}.", drill=True)) as stack:
        made = Stage(stack, cast.load(data))
        yield made
        made.close()


@pytest.mark.parametrize("name", STORIES)
async def test_the_line_tells_the_same_story(stage: Stage, name: str) -> None:
    story = yaml.safe_load((TOLD / f"{name}.yaml").read_text("utf-8"))
    await asyncio.to_thread(tell, stage, name, story["told"])


def tell(stage: Stage, name: str, told: list[dict[str, list[str]]]) -> None:
    line = ToldLine(POLICY, stage, name)
    for item in told:
        now = line.tell(item["do"])
        assert alike(now, item.get("then") or []), f"after {item['do']!r}: {now} instead of {item.get('then')}"
    if line.case is not None and not line.case.closed:
        line.tell("desk CLOSE")  # its places are free for the next story
