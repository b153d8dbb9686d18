"""Every version of an event that was released is read for ever. What came later is not known: it has the default of its field."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.events import EVENTS
from referral.wire import codec
from referral.wire.schema.definition import Schema
from referral.wire.schema.load import written
from tests.harness.wire_values import SCHEMAS, builtins, plain

OLDER = sorted(one.type for one in SCHEMAS.bodies() if one.type not in EVENTS)


def newest(type_: str) -> Schema:
    """The version that the program writes of the same event."""
    return SCHEMAS.versions(SCHEMAS.by_type[type_].stem)[-1]


def bytes_of(type_: str, value: Any) -> bytes:
    """What another Avro library writes by the schema of a version."""
    target = io.BytesIO()
    fastavro.schemaless_writer(target, fastavro.parse_schema(written(SCHEMAS.by_type[type_]), named_schemas={}), value)
    return target.getvalue()


def differing(kind: Any, said: Any, read: Any, where: str = "$") -> list[str]:
    """Return the places at which something else was read than an older version said, or than the default where it could not say it."""
    if isinstance(kind, list):
        return ([] if read is None else [where]) if said is None else differing(kind[1], said, read, where)
    match kind:
        case {"type": "record", "fields": fields}:
            found = list[str]()
            for field in fields:
                name, here = field["name"], f"{where}.{field['name']}"
                if name in said:
                    found += differing(field["type"], said[name], read[name], here)
                elif read[name] != (tuple(field["default"]) if isinstance(field["default"], list) else field["default"]):
                    found.append(here)
            return found
        case {"type": "array", "items": items} if len(said) == len(read):
            return [one for number, pair in enumerate(zip(said, read, strict=True)) for one in differing(items, *pair, f"{where}.{number}")]
        case _:
            return [] if said == read else [where]


@pytest.mark.parametrize("type_", OLDER)
@given(st.data())
def test_an_older_version_is_read_and_nothing_that_came_later_is_known(type_: str, data: st.DataObject) -> None:
    said = data.draw(builtins(SCHEMAS.by_type[type_].definition))
    body = codec.decode(type_, codec.fingerprint(type_), bytes_of(type_, said))
    assert type(body) is EVENTS[newest(type_).type]
    assert not differing(newest(type_).definition, said, plain(body))


@pytest.mark.parametrize("type_", [type_ for type_ in OLDER if "traits.v1" in SCHEMAS.by_type[type_].uses])
@given(st.data())
def test_of_a_child_in_an_event_of_before_no_time_is_known(type_: str, data: st.DataObject) -> None:
    body: Any = codec.decode(type_, codec.fingerprint(type_), bytes_of(type_, data.draw(builtins(SCHEMAS.by_type[type_].definition))))
    assert body.traits is None or body.traits.times == ()


def test_every_event_that_holds_traits_has_a_version_of_before() -> None:
    holds = {one.stem for one in SCHEMAS.newest().values() if one.topic and "traits.v2" in one.uses}
    assert holds == {SCHEMAS.by_type[type_].stem for type_ in OLDER if "traits.v1" in SCHEMAS.by_type[type_].uses} and len(holds) == 6
