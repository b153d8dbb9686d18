"""Earlier versions of the rules, frozen in `engines/`, still decide what they decided: an old log is judged for ever (decision 0086).

The policy grows words that no earlier version can read. So the policy and the stories of a release are kept beside its rules, in
`tests/stories/released/N.zip`, and both versions tell these: a case that began under the policy of before goes on under it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from msgspec import Struct
from msgspec.structs import asdict, replace

from referral.domain.events import Facts
from referral.domain.inputs import Due, Input, RecordLost
from referral.domain.policy import ENGINE, Policy, compile
from referral.proof.audit import frozen
from referral.proof.audit.frozen import FrozenEngines
from referral.proof.engines import FrozenEngine, Recorded, Rules
from referral.wire import codec
from tests.stories import teller
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
"""Those that version 5 tells otherwise: a complaint is proposed to a person, and nobody is accused who was not told. A flag that a concern
implies, and the look at a child in danger, are words of a later policy: under the policy of before they change no story."""
CHANGED: Mapping[int, set[str]] = {4: CHANGED_BY_4, 5: CHANGED_BY_5}
"""Version → the stories that it tells otherwise than the one before."""
LATER = {"unheard-of", "answer-of-somebody-else"}
"""Stories of an input that no earlier engine can be told: it has no bytes, or came with a later version."""


RELEASED = Path(__file__).parent / "released"
"""`N.zip`: policy and stories as they were when the rules of version N were frozen. Never changed."""


def checkout_of(version: int) -> Path:
    """The oldest release that this version can read whole: its own, or where none was kept then, the next."""
    return min((path for path in RELEASED.glob("*.zip") if int(path.stem) >= version), key=lambda path: int(path.stem))


STORIES = [
    (version, Path(name).stem)
    for version in sorted(frozen.own())
    for name in ZipFile(checkout_of(version)).namelist()
    if name.startswith("tests/stories/told/")
]


class EarlierWorld(World):
    """A world in which a frozen engine decides, of one version, in its process."""

    def __init__(self, like: World, files: Mapping[str, bytes], engine: FrozenEngine, version: int) -> None:
        super().__init__(like.policy, like.taken)
        self.root = like.root
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
            self._files[path] = (self.root / name).read_bytes()
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
    type_, data = codec.encode_oldest(body)
    return type_, codec.fingerprint(type_), data


@pytest.fixture(scope="module")
def engines() -> Iterator[FrozenEngines]:
    with FrozenEngines(frozen.own()) as found:
        yield found


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, Path]:
    """The policy and the stories of each release, as a checkout had them."""
    found = {version: tmp_path_factory.mktemp(f"released-{version}") for version in frozen.own()}
    for version, folder in found.items():
        ZipFile(checkout_of(version)).extractall(folder)
    return found


@cache
def before(root: Path) -> Policy:
    """The policy of a release, as today's program reads it."""
    return compile(teller.files(root / "policy"))


def alike(made: EarlierWorld, story: Mapping[str, Any], now: Sequence[list[str]]) -> bool:
    """Return True if this version tells the story word for word as today's rules do."""
    try:
        return all(made.tell(item["do"]) == then for item, then in zip(story["told"], now, strict=True))
    except (KeyError, StopIteration, LookupError):  # a line that names what came into being under a later version alone
        return False


@pytest.mark.parametrize(("version", "name"), STORIES, ids=lambda part: str(part))
def test_an_earlier_version_tells_every_story_alike_but_those_that_a_later_one_changed(
    version: int, name: str, engines: FrozenEngines, checkouts: Mapping[int, Path]
) -> None:
    if name in LATER:
        pytest.skip("the input of this story has no bytes")
    root = checkouts[version]
    story = yaml.safe_load((root / f"tests/stories/told/{name}.yaml").read_text("utf-8"))
    today = World(before(root), story.get("taken"))
    today.root = root
    earlier = EarlierWorld(today, teller.files(root / "policy"), engines.of(version), version)
    changed = set[str]().union(*(stories for later, stories in CHANGED.items() if later > version))
    now = [today.tell(item["do"]) for item in story["told"]]
    assert alike(earlier, story, now) == (name not in changed)


def test_each_change_of_the_rules_has_its_stories() -> None:
    assert {*CHANGED, 3} == {*range(3, ENGINE + 1)}, "list the stories that the new version tells otherwise"
    told = {name for _, name in STORIES}
    assert all(stories <= told for stories in CHANGED.values()), "a story that no release was kept with shows no change"
