"""Every event has a made-up example that encodes, and whose every code is a word of its list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from referral.domain.events import EVENTS
from referral.wire import codec
from referral.wire.schema.definition import Json
from tests.harness.wire_values import SCHEMAS, TYPES

ROOT = Path(__file__).parents[3]
FILES = ROOT / "examples" / "events"


def example(type_: str) -> Any:
    return msgspec.json.decode((FILES / f"{type_}.json").read_bytes(), type=EVENTS[type_])


def test_every_event_has_an_example_and_every_example_an_event() -> None:
    assert sorted(path.name.removesuffix(".json") for path in FILES.iterdir()) == TYPES


@pytest.mark.parametrize("type_", TYPES)
def test_an_example_encodes_and_comes_back(type_: str) -> None:
    body = example(type_)
    assert codec.decode(type_, codec.fingerprint(type_), codec.encode(body)) == body


def lists() -> dict[str, set[str]]:
    """Code list → its words, from the policy of this checkout."""
    policy = ROOT / "policy"
    found = {name: {str(word) for word in words} for name, words in yaml.safe_load((policy / "codes.yaml").read_text("utf-8")).items()}
    agencies = [yaml.safe_load(path.read_text("utf-8")) for path in (policy / "directory").glob("*.yaml")]
    found["agency"] = {agency["agency"] for agency in agencies}
    found["service-id"] = {service["id"] for agency in agencies for service in agency["services"]}
    found["section"] = set(yaml.safe_load((policy / "casefile.yaml").read_text("utf-8"))["sections"])
    found["municipality"] = set(yaml.safe_load((policy / "municipalities.yaml").read_text("utf-8"))["municipalities"])
    return found


def codes(kind: Any, value: Any) -> Iterator[tuple[str, str]]:
    """(code list, word) for every code of a value."""
    if isinstance(kind, list):
        if value is not None:
            yield from codes(kind[1], value)
    elif isinstance(kind, dict):
        yield from _codes(kind, value)


def _codes(kind: Json, value: Any) -> Iterator[tuple[str, str]]:
    match kind["type"]:
        case "string" if "code" in kind:
            yield kind["code"], value
        case "array":
            for item in value:
                yield from codes(kind["items"], item)
        case "map":
            for key in value:
                yield kind["code"], key
        case "record":
            for field in kind["fields"]:
                yield from codes(field["type"], getattr(value, field["name"]))


def test_every_code_of_an_example_is_a_word_of_its_list() -> None:
    known, checked = lists(), 0
    for type_ in TYPES:
        for name, word in codes(SCHEMAS.by_type[type_].definition, example(type_)):
            if name in known and word:
                checked += 1
                assert word in known[name], f"{type_}: {word} is not in the list {name}"
    assert checked > 100
