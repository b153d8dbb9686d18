"""Whatever the decisions of every story say can travel: no id, code or number that the wire would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from referral.wire import codec
from tests.stories.teller import policy, world

TOLD = sorted((Path(__file__).parents[2] / "stories" / "told").glob("*.yaml"))
POLICY = policy()


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_every_event_of_a_story_travels(path: Path) -> None:
    story = yaml.safe_load(path.read_text("utf-8"))
    made = world(story, path.parent, POLICY)
    for item in story["told"]:
        made.tell(item["do"])
    events = [event for *_, events in made.log for event in events]
    assert events
    for event in events:
        data = codec.encode(event)
        assert codec.decode(event.TYPE, codec.fingerprint(event.TYPE), data) == event  # type: ignore[attr-defined]
        assert len(data) < 4096
