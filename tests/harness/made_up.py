"""A made-up procedure for tests, cut from the steps of the shipped one and changed where a test wants it otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway, Step
from tests.stories.teller import World, policy, replayed

SHIPPED = policy()
CHILD = next(pathway for pathway in SHIPPED.current if pathway.id == "trafficking-child")


def step(like: str, **changes: Any) -> Step:
    """A step of the shipped procedure, otherwise in what a test says; without what it waits for unless that is said too."""
    plain: dict[str, Any] = {"after": frozenset(), "when": (), "at_once": frozenset(), "again": frozenset()}
    found = CHILD.step(like)
    assert found is not None
    return replace(found, **{**plain, **changes})


def pathway(*steps: Step, id: str = "trafficking-child", done: Iterable[str] | None = None, **changes: Any) -> Pathway:
    """A procedure of these steps; it ends when those of `done` are (all, where none are said)."""
    ends = frozenset(f"{name}.done" for name in (done if done is not None else [s.id for s in steps]))
    plain: dict[str, Any] = {"changes": (), "raises": "", "digest": hashlib.sha256(id.encode()).hexdigest()}
    return replace(CHILD, id=id, steps=steps, close_when=ends, **{**plain, **changes})


def with_pathways(*pathways: Pathway) -> Policy:
    """The shipped directory under these procedures alone."""
    return replace(SHIPPED, current=pathways, pinned={p.digest: p for p in pathways})


def told(world: World, *lines: str) -> list[str]:
    """Tell lines of a story, and check that its case can be replayed. Return what follows, line by line."""
    said = [line for one in lines for line in world.tell(one)]
    replayed(world)
    return said
