"""A schema that is unsafe to read, could hold a person's words, or belongs to nobody is refused, and the message says what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from referral.wire import topics
from referral.wire.schema import lint, release_lock
from referral.wire.schema.definition import SchemaError
from referral.wire.schema.load import load
from tests.harness.wire_values import FOLDER, SCHEMAS

CODE = {"type": "string", "code": "list"}
ENUM = {"type": "enum", "name": "Colour", "symbols": ["UNKNOWN", "RED"], "default": "UNKNOWN"}


def field(kind: Any, name: str = "some_field", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "doc": "Some meaning.", **more}


def record(*fields: Any, name: str = "SomeThing", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "referral", "doc": "A thing.", "fields": list(fields), **more}


def folder(path: Path, **files: Any) -> Path:
    """Write schemas: some_thing_v1={...} becomes some-thing.v1.avsc."""
    for name, content in files.items():
        stem, _, version = name.rpartition("_")
        text = content if isinstance(content, str) else json.dumps(content)
        (path / f"{stem.replace('_', '-')}.{version}.avsc").write_text(text, "utf-8")
    return path


def refused(path: Path, said: str, **files: Any) -> None:
    with pytest.raises(SchemaError) as error:
        load(folder(path, **files))
    assert said in str(error.value)


KINDS: list[tuple[Any, str]] = [
    ("string", "string alone may hold anything"),
    ("bytes", "bytes alone may hold anything"),
    ("double", "double alone"),
    ("null", "null alone"),
    ("referral.Nothing", "no Avro schema"),
    ({"type": "string"}, "a string is an id"),
    ({"type": "string", "code": "a", "logicalType": "uuid"}, "a string is an id"),
    ({"type": "string", "logicalType": "decimal"}, "only"),
    ({"type": "string", "code": "a", "lenght": 3}, "string has no lenght"),
    ({"type": "bytes"}, "say what they hold"),
    ({"type": "bytes", "holds": "narrative"}, "say what they hold"),
    ({"type": "bytes", "holds": "public", "logicalType": "decimal", "precision": 400, "scale": 2}, "bytes has no"),
    ({"type": "double"}, "double is not among"),
    ({"type": "float"}, "float is not among"),
    ({"type": "long", "logicalType": "timestamp-millis"}, "only"),
    ({"type": "int", "logicalType": "date"}, "int is not among"),
    ({"type": "enum", "name": "Ee", "symbols": ["RED"], "default": "RED"}, "begins with UNKNOWN"),
    ({"type": "enum", "name": "Ee", "symbols": ["RED", "UNKNOWN"], "default": "UNKNOWN"}, "begins with UNKNOWN"),
    ({"type": "enum", "name": "Ee", "symbols": ["UNKNOWN"]}, "begins with UNKNOWN"),
    ({"type": "enum", "name": "Ee", "symbols": ["UNKNOWN", "red"], "default": "UNKNOWN"}, "UPPER_CASE"),
    ({"type": "enum", "name": "Ee", "symbols": ["UNKNOWN", *(f"S{n}" for n in range(64))], "default": "UNKNOWN"}, "at most 64"),
    ({"type": "array", "items": "null"}, "null alone"),
    ({"type": "array", "items": ["null", CODE]}, "never null"),
    ({"type": "array", "items": {"type": "array", "items": CODE}}, "no list of lists"),
    ({"type": "array", "items": {"type": "fixed", "name": "Zero", "size": 0, "holds": "nonce"}}, "an item is"),
    ({"type": "fixed", "name": "Zero", "size": 0, "holds": "nonce"}, "say what they hold"),
    ({"type": "map", "values": "int"}, "name the list of its keys"),
    ({"type": "map", "code": "a", "values": "string"}, "string alone"),
    (["null"], "a union is"),
    (["int", "null"], "a union is"),
    (["null", "int", "long"], "a union is"),
    (["null", ["null", "int"]], "a union is"),
    ({"type": {"type": "string", "code": "a"}}, "no Avro schema"),
]


@pytest.mark.parametrize(("kind", "said"), KINDS, ids=[json.dumps(kind)[:60] for kind, _ in KINDS])
def test_a_kind_that_is_not_safe_is_refused(tmp_path: Path, kind: Any, said: str) -> None:
    refused(tmp_path, said, some_thing_v1=record(field(kind)))


RECORDS: list[tuple[Any, str]] = [
    (record(field(CODE), name="Other"), "the record is referral.SomeThing"),
    ({**record(field(CODE)), "namespace": "other"}, "the record is referral.SomeThing"),
    ({**record(field(CODE)), "doc": ""}, "say in doc"),
    (record({"name": "some_field", "type": CODE}), "say in doc"),
    (record(field(CODE, name="someField")), "snake_case"),
    (record(field(CODE, name="n")), "two letters"),
    (record(field(CODE, name="class")), "no keyword"),
    (record(field(CODE, order="descending")), "order"),
    (record(field(CODE), aliases=["Old"]), "record has no aliases"),
    (record(field(CODE), field(CODE)), "a field stands twice"),
    (record(field(record(field(CODE), name="Inner"))), "stands in a file of its own"),
    (record(field(CODE), uses=["gone.v1"]), "uses gone.v1, which is no file here"),
    ('{"type": "record", "type": "record"}', "a key stands twice"),
    ('{"type": "record"', "Expecting"),
    ("[" * 20000, "some-thing.v1.avsc"),
    ("[]", "a file holds one record"),
    ('{"type": "enum"}', "a file holds one record"),
]


@pytest.mark.parametrize(("content", "said"), RECORDS, ids=[said for _, said in RECORDS])
def test_a_file_that_breaks_a_rule_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    refused(tmp_path, said, some_thing_v1=content)


def test_a_file_has_a_type_and_a_version_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "SomeThing.avsc").write_text("{}", "utf-8")
    with pytest.raises(SchemaError, match="call it <event>"):
        load(tmp_path)


def test_recursion_is_refused(tmp_path: Path) -> None:
    chain = record(field(["null", "referral.SomeThing"]), uses=["some-thing.v1"])
    refused(tmp_path, "contains itself", some_thing_v1=chain)


def test_items_that_take_no_bytes_are_refused(tmp_path: Path) -> None:
    thing = record(field({"type": "array", "items": "referral.Empty"}), uses=["empty.v1"])
    refused(tmp_path, "takes no bytes", empty_v1=record(name="Empty"), some_thing_v1=thing)


def test_items_that_take_no_bytes_are_refused_at_any_depth(tmp_path: Path) -> None:
    inner, outer = record(name="Inner"), record(field("referral.Inner"), name="Outer", uses=["inner.v1"])
    thing = record(field({"type": "array", "items": "referral.Outer"}), uses=["outer.v1", "inner.v1"])
    refused(tmp_path, "takes no bytes", inner_v1=inner, outer_v1=outer, some_thing_v1=thing)


def test_a_name_is_defined_once(tmp_path: Path) -> None:
    other = record(field(ENUM), name="OtherThing")
    refused(tmp_path, "Colour is already defined by other-thing", some_thing_v1=record(field(ENUM)), other_thing_v1=other)


def test_a_name_means_one_thing_in_a_file(tmp_path: Path) -> None:
    other = {**ENUM, "symbols": ["UNKNOWN", "BLUE"]}
    refused(tmp_path, "Colour is something else above", some_thing_v1=record(field(ENUM), field(other, "other_field")))


def test_the_newest_version_speaks_of_the_newest_shared_types(tmp_path: Path) -> None:
    old, new = record(field(CODE), name="Shared"), record(field(CODE), field(CODE, "new_field", default=""), name="Shared")
    thing = record(field("referral.Shared"), uses=["shared.v1"])
    refused(tmp_path, "there is a newer version", shared_v1=old, shared_v2=new, some_thing_v1=thing)


def test_what_nothing_versions_has_one_version(tmp_path: Path) -> None:
    meta = record(field(CODE), name="Meta")
    refused(tmp_path, "one version for ever", meta_v1=meta, meta_v2=meta)


def test_an_orphan_is_refused(tmp_path: Path) -> None:
    alone = load(folder(tmp_path, some_thing_v1=record(field(CODE))))
    with pytest.raises(SchemaError, match=r"some-thing\.v1: has no topic and nobody uses it"):
        lint.orphans(alone, [])
    with pytest.raises(SchemaError, match=r"no-such-topic is not in topics\.yaml"):
        lint.orphans(load(folder(tmp_path, some_thing_v1=record(field(CODE), topic="no-such-topic"))), [])
    with pytest.raises(SchemaError, match="unused: no schema travels there"):
        lint.orphans(load(folder(tmp_path, some_thing_v1=record(field(CODE), topic="used"))), ["used", "unused"])


def test_none_of_ours_is_an_orphan() -> None:
    cards = topics.load(FOLDER / "topics.yaml")
    lint.orphans(SCHEMAS, [name for name, card in cards.items() if not name.startswith(topics.INGRESS) and not card.bodies_of])


CHANGES: list[tuple[Any, Any, str]] = [
    (field(CODE), field("int"), "its kind changed"),
    (field("int"), field("long"), "its kind changed"),
    (field(CODE), field({"type": "string", "code": "other"}), "means something else"),
    (field(CODE), field({"type": "string", "logicalType": "uuid"}), "means something else"),
    (field(CODE), field(["null", CODE]), "its kind changed"),
    (field({"type": "array", "items": CODE}), field({"type": "array", "items": "int"}), "its kind changed"),
    (field(ENUM), field({**ENUM, "name": "Paint"}), "another name"),
    (field(CODE), field(CODE, "renamed"), "needs a default"),
    (field(CODE), field({"type": "string", "logicalType": "uuid"}, "fresh", default=""), "needs a default"),
]


@pytest.mark.parametrize(("old", "new", "said"), CHANGES, ids=[said for *_, said in CHANGES])
def test_a_version_that_cannot_read_the_others_is_refused(tmp_path: Path, old: Any, new: Any, said: str) -> None:
    refused(tmp_path, said, some_thing_v1=record(old), some_thing_v2=record(new))


DEFAULTS = [(["null", CODE], "x"), (CODE, None), ("int", True), ("boolean", 0), ({"type": "array", "items": CODE}, ["x"]), (ENUM, "RED"),
            ({"type": "string", "logicalType": "uuid"}, "")]  # fmt: skip


@pytest.mark.parametrize(("kind", "default"), DEFAULTS)
def test_a_default_that_a_struct_cannot_have_is_refused(tmp_path: Path, kind: Any, default: Any) -> None:
    new = record(field(CODE), field(kind, "fresh", default=default))
    refused(tmp_path, "", some_thing_v1=record(field(CODE)), some_thing_v2=new)


def test_every_version_counts_not_only_the_last_two(tmp_path: Path) -> None:
    one, two, three = record(field(CODE)), record(field("int", "other_field", default=0)), record(field("int", default=0))
    refused(tmp_path, "some_field: ", some_thing_v1=one, some_thing_v2=two, some_thing_v3=three)


def test_versions_have_no_gap_and_a_type_keeps_its_topic(tmp_path: Path) -> None:
    refused(tmp_path, "without a gap", some_thing_v2=record(field(CODE)))
    moved = tmp_path / "moved"
    moved.mkdir()
    one, two = record(field(CODE), topic="a"), record(field(CODE), topic="b")
    refused(moved, "one type has one topic", some_thing_v1=one, some_thing_v2=two)


def test_an_additive_version_is_taken(tmp_path: Path) -> None:
    paint = {**ENUM, "symbols": ["UNKNOWN", "RED", "BLUE"]}
    new = record(field(paint), field(["null", CODE], "fresh", default=None), field({"type": "array", "items": CODE}, "list_of", default=[]))
    assert len(load(folder(tmp_path, some_thing_v1=record(field(ENUM)), some_thing_v2=new)).versions("some-thing")) == 2


def test_no_released_schema_was_edited() -> None:
    release_lock.check(FOLDER)


def test_editing_or_removing_a_released_schema_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "avro"
    shutil.copytree(FOLDER, copy)
    added = release_lock.lock(copy)
    assert {path.name for path in copy.glob("*.avsc")} == {*added} | set(release_lock.locked(FOLDER))
    assert release_lock.lock(copy) == []
    victim = copy / "offer-opened.v1.avsc"
    text = victim.read_text("utf-8")
    victim.write_text(text.replace("A seat is put", "A place is put"), "utf-8")
    with pytest.raises(SchemaError, match=r"offer-opened\.v1\.avsc: was released and is never edited"):
        release_lock.check(copy)
    with pytest.raises(SchemaError):
        release_lock.lock(copy)
    victim.unlink()
    with pytest.raises(SchemaError, match=r"offer-opened\.v1\.avsc: was released and is gone"):
        release_lock.check(copy)
