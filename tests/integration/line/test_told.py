"""The stories are also told on the real line: doors, Kafka, routing, audit, with the same lines as in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from referral.cli.stack import cast, up
from referral.cli.stack.stage import Stage
from referral.client import Problem
from referral.local.config import StackConfig
from tests.harness.line.told_line import ToldLine, alike
from tests.harness.servers import prefix
from tests.stories.reached import pair, told
from tests.stories.teller import policy
from tests.stories.test_stories import TOLD, read

pytestmark = [
    pytest.mark.servers,
    pytest.mark.xdist_group("told"),  # one line for all of them
    pytest.mark.asyncio(loop_scope="module"),
]
FAILURES = (
    "rung-failed",
    "rung-reached",
    "notifier",
    "knock",
    "lost",
    "taken",
    "policy",
    "raised",
    "refer-again",
    "engine-fails",
    "unheard",
    "repeat",
)
"""Lines that only a failure of the line, a handset, another case or another policy can say, or that would take the line minutes."""
TWO_MOMENTS = "two limits of the same moment in memory are two moments on the line"
NOT_HERE = {
    "nobody-at-police": TWO_MOMENTS,
    "transfer-fails": TWO_MOMENTS,
    "care-court-late": TWO_MOMENTS,
    "told-and-silent": TWO_MOMENTS,
    "adult-does-not-testify": "a day passes in it without an alarm, and the line's own alarm misses three limits meanwhile",
    "sexual-abuse-two-interviews": "two days pass in it without an alarm, and a court's limit of twelve hours ends meanwhile",
    "alone-at-the-border": "one person answers in it for two agencies, and an account of the line is of one",
    "unknown-municipality": "the door refuses the first line",
    "exercise-over-of-a-child": "every case of the test's line is an exercise",
    "exclusion-lifted-by-two": "two persons sign in, and the line's desk is a system",
}
"""Stories that the line tells otherwise, each with the reason."""
AT_MOST, OFTEN = 64, 10
"""Stories that `make faults` tells, and `make test`. Each takes 2.3 s of CPU, and at least a week of the drill clock, which must stay
within the calendar. Eight reach every procedure."""
RANKS = [pytest.param(rank, marks=pytest.mark.long if rank >= OFTEN else ()) for rank in range(AT_MOST)]
POLICY = policy()


def can_be_told() -> dict[str, set[tuple[str, str, str]]]:
    """Stories that agencies and desks can tell alone, with the triples (procedure, rule, outcome) that each reaches."""
    found = {}
    for path in TOLD:
        story = read(path.stem)
        said = {str(item["do"]).split()[0] for item in story["told"]}
        if path.stem not in NOT_HERE and not {"taken", "policy"} & story.keys() and said.isdisjoint(FAILURES) and "nowhere:" not in said:
            events = [event for *_, happened in told(path.stem).log for event in happened]
            found[path.stem] = {(event.why.procedure, *pair(event)) for event in events}  # type: ignore[attr-defined]
    return found


@cache  # chosen when a story is told, not when tests are collected: every process that shares the tests would tell all of them
def stories() -> list[str]:
    """Those that reach the most that none before has reached, another procedure first, until there is nothing new or they are enough."""
    left, seen, chosen = can_be_told(), set[tuple[str, str, str]](), list[str]()
    while left and len(chosen) < AT_MOST:
        known = {digest for digest, _, _ in seen}
        name = max(left, key=lambda name: (not {digest for digest, _, _ in left[name]} <= known, len(left[name] - seen)))
        if not (new := left.pop(name) - seen):
            break
        seen |= new
        chosen.append(name)
    return chosen


async def test_every_procedure_is_told_on_the_line() -> None:
    reached = can_be_told()
    told_of = {digest for name in stories()[:OFTEN] for digest, _, _ in reached[name]}
    assert {pathway.digest[:16] for pathway in POLICY.current} <= told_of


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, kafka: str, ca: Path) -> AsyncIterator[Stage]:
    data = tmp_path_factory.mktemp("told")
    async with up.running(StackConfig(data=data, kafka=kafka, ca=ca, prefix=prefix(), drill=True)) as stack:
        made = Stage(stack, cast.load(data))
        yield made
        made.close()


@pytest.mark.parametrize("rank", RANKS)
async def test_the_line_tells_the_same_story(stage: Stage, rank: int) -> None:
    name = stories()[rank]
    await asyncio.to_thread(tell, stage, name, read(name)["told"])


def tell(stage: Stage, name: str, items: list[dict[str, Any]]) -> None:
    line = ToldLine(POLICY, stage, name)
    try:
        for item in items:
            then = item.get("then") or []
            try:
                now = line.tell(item["do"])
            except Problem as refused:  # a door may refuse what a decision would ignore
                assert then and all(said.startswith("ignored ") for said in then), (
                    f"{name}: after {item['do']!r}: {refused} instead of {then}"
                )
            else:
                assert alike(now, then), f"{name}, {item['do']!r}: {now} instead of {then}"
    finally:
        if line.case is not None and not line.case.closed:
            line.tell("desk CLOSE")  # its places are free for the next story
