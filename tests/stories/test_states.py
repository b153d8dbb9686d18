"""What a sender is told of its referral, at every moment of every story: never that nothing has happened, once something was decided."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from referral.domain.case import next_due
from referral.domain.inputs import Input, Source
from services.intake.api import schemas
from services.intake.projection import offers as holding
from tests.stories.teller import CASE, World, policy, world

TOLD = sorted((Path(__file__).parent / "told").glob("*.yaml"))
SHIPPED = policy()


def state(changes: holding.Changes) -> tuple[str, str]:
    """The state that the door tells, and what it waits for."""
    offers: list[Any] = [SimpleNamespace(state=held.state, kind=held.opened.kind.value) for held in changes.offers.values() if held.opened]
    about = {body.about for (task, _), (_, body) in changes.tasks.items() if task not in changes.settled}
    closing = changes.closed.get(CASE)
    closed = closing is not None and closing.at is not None
    return schemas.state(offers, closed=closed, tasks=about), schemas.waits_for(about)


def follow(here: World, changes: holding.Changes, seen: int) -> None:
    source = Source(topic="referral-routing", partition=0, offset=0)
    for _, cause, facts, events in here.log[seen:]:
        for event in events:
            holding.fold(changes, Input(id=cause.id, case_id=CASE, body=event, source=source, at=facts.now))


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_a_sender_is_never_told_that_nothing_happened(path: Path) -> None:
    story = yaml.safe_load(path.read_text("utf-8"))
    here, changes, seen = world(story, path.parent, SHIPPED), holding.Changes(), 0
    for told in story["told"]:
        here.tell(told["do"])
        follow(here, changes, seen)
        seen = len(here.log)
        if here.case is None or not here.case.opened:
            continue
        said, waits = state(changes)
        assert said != "RECEIVED", f"after {told['do']}"
        assert bool(waits) or said != schemas.WAITING
        assert here.case.closed or here.case.tasks or next_due(here.case) is not None or said not in ("OFFERED", schemas.WAITING), told[
            "do"
        ]
