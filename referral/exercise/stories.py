"""The made-up referrals of exercises: the command and the page send the same ones, always marked as an exercise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from referral.domain.rules.referrals import EXERCISE_OVER
from referral.errors import Rejected

FILE = Path(__file__).with_name("stories.yaml")
__all__ = ["EVERY", "EXERCISE_OVER", "Story", "body", "chosen", "stories"]
EVERY = "every"
"""Name of the exercise that sends every story at once: what one municipality needs to see all of its agencies at work."""


class Story(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A made-up referral. title, hint: what it tells, and what the trainer arranges, by language (en, sq, sr).

    traits, file, consent: as in the body of a referral.
    """

    title: dict[str, str]
    hint: dict[str, str]
    traits: dict[str, Any]
    file: dict[str, dict[str, Any]]
    consent: dict[str, Any] | None = None


@cache
def stories() -> Mapping[str, Story]:
    """Return the stories by name, in the order of the file."""
    return msgspec.yaml.decode(FILE.read_bytes(), type=dict[str, Story])


def chosen(name: str) -> tuple[str, ...]:
    """Return the stories of an exercise by its name: one, or all for EVERY. Rejected: there is none of this name."""
    known = tuple(stories())
    if name == EVERY:
        return known
    if name not in known:
        raise Rejected("unknown-story", name, f"one of {', '.join((*known, EVERY))}")
    return (name,)


def body(name: str, municipality: str) -> dict[str, Any]:
    """Return the referral that is sent for a story: marked as an exercise, whatever the story says."""
    story = stories()[name]
    consent = {"consent": story.consent} if story.consent else {}
    return {"traits": {**story.traits, "found_in": municipality}, "file": story.file, **consent, "drill": True}
