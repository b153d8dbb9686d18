"""Earlier versions of the rules, frozen in `engines/`, still decide what they decided: an old log is judged for ever (decision 0086)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import asdict, replace

from referral.domain.events import Facts
from referral.domain.inputs import Due, Input, RecordLost
from referral.domain.policy import ENGINE
from referral.proof.audit import frozen
from referral.proof.audit.frozen import FrozenEngines
from referral.proof.engines import FrozenEngine, Recorded, Rules
from referral.wire import codec
from tests.stories import teller
from tests.stories.lines import ROOT
from tests.stories.saved import TOLD, read
from tests.stories.teller import World

CHANGED_BY_4 = {
    "case-file-task-goes-on-alone",
    "custody-seen-at-the-last-minute",
    "decision-nobody-on-duty",
    "disability-known-in-institution",
    "exploited-after-a-mistaken-end",
    "forbidden-decision-settled",
    "juvenile-waits-for-an-adult",
    "place-still-lived-in",
    "secure-facility-taken-back",
    "secure-facility-taken-back-late",
    "waits-whatever-task-goes-on",
}
"""The stories that version 4 of the rules tells otherwise than version 3. Each says what was wrong."""
CHANGED_BY_5 = {
    "acknowledged-by-sms-then-excluded",
    "acknowledged-then-silent",
    "care-protection-silence",
    "care-review-silence",
    "care-screening-silence",
    "custody-seen-at-the-last-minute",
    "guardian-silence",
    "juvenile-age-silence",
    "juvenile-community-work-fails",
    "juvenile-custody-at-night",
    "juvenile-in-custody",
    "juvenile-parents-not-told",
    "juvenile-screening-silence",
    "labour-centre-silent",
    "labour-home-visit-missed",
    "labour-monitoring-missed",
    "labour-triage-otherwise",
    "labour-triage-silence",
    "nobody-at-police",
    "notifier-mute",
    "notifier-mute-for-a-rung",
    "relay-away-all-the-time",
    "relay-away-twenty-minutes",
    "risk-silence",
    "secure-facility-silence",
    "told-and-silent",
    "told-late",
}
"""Those that version 5 tells otherwise: a complaint is proposed to a person, and nobody is accused who was not told."""
CHANGED: Mapping[int, set[str]] = {4: CHANGED_BY_4, 5: CHANGED_BY_5}
"""Version → the stories that it tells otherwise than the one before."""
LATER = {"unheard-of", "answer-of-somebody-else"}
"""Stories of an input that no earlier engine can be told: it has no bytes, or came with a later version."""


class EarlierWorld(World):
    """A world in which a frozen engine decides, of one version, in its process."""

    def __init__(self, like: World, files: Mapping[str, bytes], engine: FrozenEngine, version: int) -> None:
        super().__init__(like.policy, like.taken)
        self._engine, self._version = engine, version
        self._files, self._told, self._names = dict(files), list[Recorded](), 0
        self._rules = self._compiled(None)

    def _compiled(self, before: str | None) -> str:
        """Tell the engine the files that are in force now; return their name."""
        name = str(hash(frozenset(self._files.items())) ^ hash(before))
        assert self._engine.compiles(name, lambda: [Rules(name, before, self._files)])
        return name

    def tell(self, line: str) -> list[str]:
        verb, _, rest = line.partition(" ")
        if verb != "policy":
            return super().tell(line)
        word, name = rest.split()
        path = f"pathways/{Path(name).stem}.yaml"
        if word == "with":
            self._files[path] = (ROOT / name).read_bytes()
        else:
            del self._files[path]
        self._rules = self._compiled(None if word == "forgets" else self._rules)
        return super().tell(line)

    def decides(self, cause: Input, facts: Facts) -> Sequence[Struct]:
        told: dict[str, Any] = {name: getattr(cause, name) for name in ("id", "case_id", "seq", "at", "drill")}
        told["source"] = (cause.source.topic, cause.source.partition, cause.source.offset)
        if isinstance(cause.body, Due):
            told["due"] = cause.body.at
        elif isinstance(cause.body, RecordLost):
            told["lost"] = tuple(asdict(cause.body).values())
        else:
            told["record"] = _recorded(cause.body)
        made = self._engine.decide("", self._told, told, replace(facts, engine=self._version), self._rules)
        return tuple(codec.decode(each.type, codec.fingerprint(each.type), each.body) for each in made)

    def keep(self, events: tuple[Struct, ...]) -> tuple[Struct, ...]:
        self._told += [_recorded(event) for event in events]
        return super().keep(events)


def _recorded(body: Struct) -> Recorded:
    type_ = type(body).TYPE  # type: ignore[attr-defined]
    return type_, codec.fingerprint(type_), codec.encode(body)


@pytest.fixture(scope="module")
def engines() -> Iterator[FrozenEngines]:
    with FrozenEngines(frozen.own()) as found:
        yield found


def alike(story: Mapping[str, Any], folder: Path, engine: FrozenEngine, version: int) -> bool:
    """Return True if this version tells the story word for word as it is told today."""
    files = {**teller.files(), **(teller.files(folder / story["policy"]) if "policy" in story else {})}
    files = {path: data for path, data in files.items() if data}
    made = EarlierWorld(teller.world(story, folder, teller.policy()), files, engine, version)
    try:
        return all(made.tell(item["do"]) == (item.get("then") or []) for item in story["told"])
    except (KeyError, StopIteration, LookupError):  # a line that names what came into being under a later version alone
        return False


@pytest.mark.parametrize("version", sorted(frozen.own()))
@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_an_earlier_version_tells_every_story_alike_but_those_that_a_later_one_changed(
    path: Path, version: int, engines: FrozenEngines
) -> None:
    if path.stem in LATER:
        pytest.skip("the input of this story has no bytes")
    changed = set[str]().union(*(stories for later, stories in CHANGED.items() if later > version))
    assert alike(read(path.stem), path.parent, engines.of(version), version) == (path.stem not in changed)


def test_each_change_of_the_rules_has_its_stories() -> None:
    assert {*CHANGED, 3} == {*range(3, ENGINE + 1)}, "list the stories that the new version tells otherwise"
