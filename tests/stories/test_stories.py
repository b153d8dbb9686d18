"""Every file in told/ is a story: what happened, line by line, and what followed. Read them as the specification of a procedure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stories.saved import TOLD, read
from tests.stories.teller import policy, replayed, world

POLICY = policy()


def told_again(story: dict[str, Any], folder: Path) -> dict[str, Any]:
    made = world(story, folder, POLICY)
    told = {**story, "told": [{"do": item["do"], "then": made.tell(item["do"])} for item in story["told"]]}
    replayed(made)
    return told


def written(story: dict[str, Any]) -> str:
    """The one way a story is laid out."""
    lines = [f"story: {json.dumps(story['story'], ensure_ascii=False)}"]
    if "policy" in story:
        lines.append(f"policy: {story['policy']}   # the shipped policy, with these files in place of its own; an empty file is left out")
    if "taken" in story:
        lines.append(f"taken: {{{', '.join(f'{k}: {v}' for k, v in story['taken'].items())}}}   # places that other cases hold")
    lines.append("told:")
    for item in story["told"]:
        lines += [f'  - do: "{item["do"]}"', "    then:" + ("" if item.get("then") else " []")]
        lines += [f"      - {line}" for line in item.get("then") or ()]
    return "\n".join(lines) + "\n"


def test_there_are_stories() -> None:
    assert len(TOLD) >= 15


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_story(path: Path, request: pytest.FixtureRequest) -> None:
    story = read(path.stem)
    again = told_again(story, path.parent)
    if request.config.getoption("--update"):
        path.write_text(written(again), "utf-8")
        return
    for item, now in zip(story["told"], again["told"], strict=True):
        assert now["then"] == (item.get("then") or []), f"after {item['do']!r}; `make stories` shows the difference"
