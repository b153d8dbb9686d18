"""A case of the release before goes on under today's rules and policy, at every moment of every story of that release.

Its procedure stays the one under which it began. What is decided next closes no step and no offer that the policy of before had left open,
and nothing that came later is known of the child: no event of that release could say it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from msgspec import Struct

from referral.domain import events as e
from referral.domain.case import Case
from referral.domain.decide import decide, facts_for
from referral.domain.policy import Policy, compile
from referral.wire import codec
from tests.harness.audit_log import BEFORE, released
from tests.stories import teller
from tests.stories.teller import World

ENGINE_BEFORE = 4
KEPT = Path(__file__).parent / "released" / f"{ENGINE_BEFORE}.zip"
NOT_HONEST = ("policy", "lost", "engine-fails", "unheard")
"""Lines of a story that say no event of an agency, or change the policy themselves."""


@cache
def kept() -> dict[str, Any]:
    """The stories of the release, by name."""
    with ZipFile(KEPT) as file:
        names = [name for name in file.namelist() if name.startswith("tests/stories/told/") and name.endswith(".yaml")]
        found = {Path(name).stem: yaml.safe_load(file.read(name)) for name in names}
    return {name: story for name, story in found.items() if not any(item["do"].startswith(NOT_HONEST) for item in story["told"])}


@cache
def policies() -> tuple[Policy, Policy]:
    """The policy of the release, and today's, activated after it."""
    before = compile(released(ENGINE_BEFORE))
    return before, compile(teller.files(), before)


def ended(case: Case, events: Iterable[Struct]) -> Counter[tuple[str, ...]]:
    """What these events end of a case, of all that was open."""
    tracks = {track.track_id for track in case.tracks}
    found = Counter[tuple[str, ...]]()
    for event in events:
        match event:
            case e.OfferClosed():
                found["offer", event.offer_id] += 1
            case e.StepDone() if event.track_id in tracks:
                found["step", event.track_id, event.step] += 1
            case e.TrackChanged() if event.track_id in tracks and event.state is not e.TrackState.OPENED:
                found["track", event.track_id] += 1
            case e.CaseClosed():
                found["case",] += 1
    return found


def bytes_of_before(event: Struct) -> Struct:
    """The event as it is read from the bytes that the release wrote."""
    type_, data = codec.encode_oldest(event)
    newest: str = type(event).TYPE  # type: ignore[attr-defined]
    if type_ not in BEFORE:
        type_, data = newest, codec.encode(event)
        assert not any(old.rpartition(".v")[0] == newest.rpartition(".v")[0] for old in BEFORE), f"{newest} says what the release could not"
    return codec.decode(type_, codec.fingerprint(type_), data)


@pytest.mark.parametrize("name", sorted(kept()))
def test_at_every_moment_of_a_case_of_before_nothing_open_is_closed_by_the_new_release(name: str) -> None:
    (before, today), story = policies(), kept()[name]
    world = World(before, story.get("taken"))
    for item in story["told"]:
        world.tell(item["do"])
    for case, cause, facts, events in world.log:
        for event in events:
            assert bytes_of_before(event) == event
            assert not isinstance(event, e.CaseOpened) or event.traits.times == ()
        if case is None:
            continue
        assert case.traits.times == () and all(track.digest in today.pinned for track in case.tracks)
        now = facts_for(case, cause, today, facts.now, lambda wanted, free=facts.free: {one: free.get(one, 0) for one in wanted}, 2)  # type: ignore[misc]
        assert ended(case, decide(case, cause, now, today)) == ended(case, events), cause.body


def test_most_stories_of_the_release_are_looked_at() -> None:
    assert len(kept()) > 240
