"""What a simulation says of two policies is what the real line's log says of them: the same cases, lived through at the doors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio

from referral.analysis.simulation.caseload import Caseload
from referral.analysis.simulation.run import PairedWorlds
from referral.analysis.simulation.world import Decided, World
from referral.cli.audit import counterfactual, source
from referral.cli.policy import activate
from referral.cli.stack import cast, up
from referral.cli.stack.stage import Stage
from referral.domain.events import RungFailed
from referral.domain.policy import Policy, compile
from referral.local.config import StackConfig
from referral.proof import archive
from referral.proof.counterfactual import Counterfactual
from referral.proof.lookup import Casebook
from referral.wire import policy_digest
from tests.harness.line.simulated_line import SimulatedLine
from tests.harness.line.told_line import alike
from tests.harness.servers import prefix
from tests.stories import teller
from tests.stories.teller import POLICY

pytestmark = [
    pytest.mark.servers,
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="session"),
]
FILES = policy_digest.read(POLICY)
WHOLE = teller.policy()
CHILDREN = replace(WHOLE, current=tuple(p for p in WHOLE.current if p.id == "trafficking-child"))
CASES = 4


def lived(caseload: Caseload, rules: Policy = WHOLE) -> Iterator[Decided]:
    """Every decision about a case that came in; complaints that these raised live on by themselves."""
    world = World(caseload, rules)
    while world.next_at is not None:
        done = world.step()
        if done is not None and not done.live.raised:
            yield done


def calm(cases: int, year: int, rules: Policy = WHOLE, moved: int = 0) -> Caseload:
    """The first seed in which everybody can be reached: no door says that nobody was on duty. moved: how many the rules must move."""
    for seed in range(1, 500):
        caseload = Caseload(policy=CHILDREN, seed=seed, world=0, cases=cases, year=year)
        if not any(isinstance(done.body, RungFailed) for done in lived(caseload, rules)) and len(simulated(caseload, rules)) >= moved:
            return caseload
    raise AssertionError("no calm seed")


def simulated(caseload: Caseload, other: Policy) -> set[str]:
    """The cases that another policy moves, as `referral policy simulate --against` names them."""
    both = PairedWorlds(caseload, WHOLE, other)
    for _ in both.run():
        pass
    return set(both.differences.names)


@cache  # when a test asks, and not when tests are collected
def loaded() -> Caseload:
    """In a year that is still to come: the drill clock goes there."""
    return calm(CASES, 2027)


def edited(path: str, pattern: bytes, new: bytes) -> dict[str, bytes]:
    """The policy's files with one place changed."""
    text, count = re.subn(pattern, new, FILES[path], count=1)
    assert count == 1, f"{path} has no {pattern!r}"
    return {**FILES, path: text}


def without_coordinator() -> dict[str, bytes]:
    """The coordinator of the first child's municipality is gone."""
    place = next(iter(loaded().arrivals())).traits.found_in
    id = f"coordinator-{place}"
    files = {path: data for path, data in FILES.items() if path != f"directory/{id}.yaml"}
    assert len(files) < len(FILES), f"{place} has no coordinator"
    files["municipalities.yaml"] = FILES["municipalities.yaml"].replace(f"coordinator: {id}\n".encode(), b"coordinator: null\n")
    return files


OTHERS: Mapping[str, Callable[[], dict[str, bytes]]] = {
    "changed limit": lambda: edited("pathways/trafficking-child.yaml", rb"acknowledge: 15 min", b"acknowledge: 6 min"),
    "closed shelter": lambda: edited("directory/shelter-blue-moon.yaml", rb"places: \d+", b"places: 0"),
    "removed coordinator": without_coordinator,
}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory, kafka: str, ca: Path) -> AsyncIterator[Stage]:
    data = tmp_path_factory.mktemp("simulated")
    async with up.running(StackConfig(data=data, kafka=kafka, ca=ca, prefix=prefix(), drill=True)) as stack:
        made = Stage(stack, cast.load(data))
        yield made
        made.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cases(stage: Stage) -> Mapping[str, str]:
    """Case id of the line → name of the simulation, once all of them have been lived through."""
    return await asyncio.to_thread(live, stage, loaded())


def live(stage: Stage, caseload: Caseload, rules: Policy = WHOLE) -> Mapping[str, str]:
    """Live through all of it, decision for decision."""
    lines: dict[str, SimulatedLine] = {}
    for done in lived(caseload, rules):
        name = done.live.name
        line = lines.setdefault(name, SimulatedLine(rules, stage, f"simulated-{caseload.year}-{name}"))
        expected, real = line.live(done)
        assert alike(real, expected), f"{name}: the line says {real}, the simulation {expected}"
    return {line.case_id: name for name, line in lines.items()}


async def replayed(stage: Stage, files: Mapping[str, bytes], cases: Mapping[str, str]) -> tuple[Counterfactual, set[str]]:
    other = compile(files)

    def ask() -> Counterfactual:
        with source.opened(None, where=stage.settings) as there:
            size, _ = archive.head(there.archive, None)
            return counterfactual.compare(Casebook(there.archive, size, None), there.keys(None), other, {})

    found = await asyncio.to_thread(ask)
    return found, {cases[id] for id in found.differences.names if id in cases}


async def test_a_simulated_case_is_lived_alike_on_the_line_and_the_same_policy_moves_nobody(stage: Stage, cases: Mapping[str, str]) -> None:
    found, names = await replayed(stage, FILES, cases)
    assert len(cases) == CASES and found.cases >= CASES and not found.unchecked
    assert not names and not found.differences.elsewhere


@pytest.mark.parametrize("change", OTHERS)
async def test_replay_names_the_cases_that_simulate_names(stage: Stage, cases: Mapping[str, str], change: str) -> None:
    files = OTHERS[change]()
    _, names = await replayed(stage, files, cases)
    assert names == simulated(loaded(), compile(files))
    assert names, "nobody is moved: the change proves nothing"


async def test_once_it_is_in_force_the_line_goes_as_the_simulation_said_and_the_old_log_says_the_same(
    stage: Stage, cases: Mapping[str, str]
) -> None:
    files = OTHERS["changed limit"]()
    other = compile(files)
    await asyncio.to_thread(
        stage.wait, "the policy is in force", lambda: asyncio.run(activate.activate(stage.settings, files)).confirmed or None
    )
    assert await asyncio.to_thread(live, stage, calm(1, 2028, other, moved=1), other)
    _, names = await replayed(stage, files, cases)
    assert names == simulated(loaded(), other)
