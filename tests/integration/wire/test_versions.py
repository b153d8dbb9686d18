"""A new version of a schema needs nothing but its file and `make generate`: shown on a copy of the project whose schemas change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A project of its own, of which the schemas may be changed."""
    for part in ("referral/wire", "schemas", "docs/reference"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("referral/__init__.py", "referral/errors.py", "referral/domain/__init__.py", "referral/domain/value.py",
                 "tests/harness/wire_values.py", "tests/unit/wire/test_codec.py", "tests/integration/wire/test_avro.py"):  # fmt: skip
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / part, tmp_path / part)
    shutil.copytree(ROOT / "referral/domain/events", tmp_path / "referral/domain/events", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "schemas" / "avro" / "released.lock").unlink()  # nothing of the copy was ever released
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    return tmp_path


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, timeout=120, check=False)


def schema(copy: Path, type_: str) -> tuple[Path, Any]:
    path = copy / "schemas" / "avro" / f"{type_}.avsc"
    return path, json.loads(path.read_text("utf-8"))


def test_check_refuses_what_is_stale_missing_or_left_over(copy: Path) -> None:
    assert run(copy, "-m", "referral.wire.schema.generate", "--check").returncode == 0
    (copy / "referral/domain/events/referral_routing.py").write_text("", "utf-8")
    (copy / "referral/wire/compiled/shared.py").unlink()
    (copy / "docs/reference/old.md").write_text("<!-- GENERATED from schemas/avro: an event that is no more -->\n", "utf-8")
    (copy / "docs/reference/other.md").write_text("somebody else's page\n", "utf-8")
    checked = run(copy, "-m", "referral.wire.schema.generate", "--check")
    assert checked.returncode == 1
    for name in ("referral_routing.py", "compiled/shared.py", "old.md", "make generate"):
        assert name in checked.stderr
    assert "other.md" not in checked.stderr
    assert run(copy, "-m", "referral.wire.schema.generate").returncode == 0
    assert run(copy, "-m", "referral.wire.schema.generate", "--check").returncode == 0


def test_a_breach_of_the_rules_is_one_line_and_no_traceback(copy: Path) -> None:
    path, document = schema(copy, "rung-failed.v1")
    document["fields"][0]["type"] = "string"
    path.write_text(json.dumps(document), "utf-8")
    checked = run(copy, "-m", "referral.wire.schema.generate")
    assert checked.returncode == 1
    assert checked.stderr.count("\n") == 1
    assert checked.stderr.startswith("schemas/avro: rung-failed.v1.offer_id: string alone")


OLD_BYTES = """
from referral.domain.events import RungFailed
from referral.wire import codec
body = RungFailed(offer_id="5e0c4b1e-7a53-4c53-9d3e-0f4a7b1d2c3d", rung=1, reason="nobody-on-duty", at=5)
print(codec.encode(body).hex(), codec.fingerprint("rung-failed.v1"))
"""
NEW_READS_OLD = """
import sys
from referral.domain.events import Colour, RungFailed
from referral.wire import codec
old = codec.decode("rung-failed.v1", int(sys.argv[2]), bytes.fromhex(sys.argv[1]))
expected = RungFailed(offer_id=old.offer_id, rung=1, tried=(), at=5, colour=Colour.UNKNOWN, wait=7, by=None)
assert old == expected and old.offer_id.startswith("5e0c4b1e")
new = RungFailed(offer_id=old.offer_id, rung=2, tried=("phone",), at=6, colour=Colour.RED, wait=8, by=old.offer_id)
data = codec.encode(new)
assert RungFailed.TYPE == "rung-failed.v2"
assert codec.decode("rung-failed.v2", codec.fingerprint("rung-failed.v2"), data) == new
"""


def test_an_older_version_is_read_into_the_newest_struct(copy: Path) -> None:
    """A field that is gone is skipped, a new one has its default, and what is written is the newest version."""
    data, fingerprint = run(copy, "-c", OLD_BYTES).stdout.split()
    path, document = schema(copy, "rung-failed.v1")
    reason = next(f for f in document["fields"] if f["name"] == "reason")
    colour = {"type": "enum", "name": "Colour", "symbols": ["UNKNOWN", "RED"], "default": "UNKNOWN"}
    document["fields"] = [
        *(f for f in document["fields"] if f is not reason),
        {"name": "tried", "type": {"type": "array", "items": {"type": "string", "code": "channel"}}, "doc": "New.", "default": []},
        {"name": "colour", "type": colour, "doc": "New.", "default": "UNKNOWN"},
        {"name": "wait", "type": "int", "doc": "New.", "default": 7},
        {"name": "by", "type": ["null", {"type": "string", "logicalType": "uuid"}], "doc": "New.", "default": None},
    ]
    newer = path.with_name("rung-failed.v2.avsc")
    newer.write_text(json.dumps(document), "utf-8")
    refused = run(copy, "-m", "referral.wire.schema.generate")
    assert "rung-failed.v1 cannot read rung-failed.v2: reason: a field that not every version has needs a default" in refused.stderr
    first = json.loads(path.read_text("utf-8"))
    next(f for f in first["fields"] if f["name"] == "reason")["default"] = ""
    path.write_text(json.dumps(first), "utf-8")
    assert run(copy, "-m", "referral.wire.schema.generate").stderr == ""
    assert run(copy, "-c", NEW_READS_OLD, data, fingerprint).stderr == ""


OLD_SYMBOL = """
from referral.domain.events import How, OfferClosed, Why
from referral.wire import codec
why = Why(rule="", procedure="", directory="", engine=1, passed=())
for how in How:
    body = OfferClosed(why=why, offer_id="5e0c4b1e-7a53-4c53-9d3e-0f4a7b1d2c3d", how=how, reason="")
    print(how, codec.encode(body).hex(), codec.fingerprint("offer-closed.v1"))
"""
NEW_SYMBOL = """
import sys
from referral.domain.events import How
from referral.wire import codec
for line in sys.argv[1].splitlines():
    how, data, fingerprint = line.split()
    print(how, codec.decode("offer-closed.v1", int(fingerprint), bytes.fromhex(data)).how)
"""


def test_a_symbol_that_is_gone_is_unknown_and_the_others_keep_their_meaning(copy: Path) -> None:
    old = run(copy, "-c", OLD_SYMBOL).stdout
    path, document = schema(copy, "offer-closed.v1")
    how = next(f for f in document["fields"] if f["name"] == "how")["type"]
    how["symbols"] = ["UNKNOWN", "LAPSED", *(s for s in how["symbols"][1:] if s != "EXPIRED")]
    path.with_name("offer-closed.v2.avsc").write_text(json.dumps(document), "utf-8")
    assert run(copy, "-m", "referral.wire.schema.generate").stderr == ""
    pairs = [line.split() for line in run(copy, "-c", NEW_SYMBOL, old).stdout.splitlines()]
    assert len(pairs) == len(old.splitlines()) > 5
    assert all(now == ("UNKNOWN" if was == "EXPIRED" else was) for was, now in pairs)


def every_kind() -> dict[str, Any]:
    """A record with every kind in every place that the lint allows."""
    code, ident, moment = (
        {"type": "string", "code": "word"},
        {"type": "string", "logicalType": "uuid"},
        {"type": "long", "logicalType": "timestamp-micros"},
    )
    digest, blob = {"type": "string", "code": "digest"}, {"type": "bytes", "holds": "public"}
    paint = {"type": "enum", "name": "Paint", "symbols": ["UNKNOWN", "RED", "BLUE"], "default": "UNKNOWN"}
    kinds = {"code": code, "ident": ident, "digest": digest, "moment": moment, "number": "int", "large": "long", "flag": "boolean",
             "blob": blob, "paint": paint, "part": "referral.Passed"}  # fmt: skip
    fields = []
    for name, kind in kinds.items():
        fields += [(name, kind), (f"maybe_{name}", ["null", kind]), (f"list_{name}", {"type": "array", "items": kind}),
                   (f"map_{name}", {"type": "map", "code": "word", "values": kind})]  # fmt: skip
    fields += [("nonce", {"type": "fixed", "name": "Salt", "size": 4, "holds": "nonce"})]
    fields.append(("maybe_list", ["null", {"type": "array", "items": code}]))
    return {
        "type": "record",
        "name": "EveryKind",
        "namespace": "referral",
        "doc": "Every kind.",
        "topic": "referral-intake",
        "uses": ["passed.v1"],
        "fields": [{"name": name, "type": kind, "doc": "."} for name, kind in fields],
    }


FUZZ = """
from hypothesis import given, settings, strategies as st
from referral.wire import codec
from tests.unit.wire.test_codec import again_or_malformed
from tests.harness.wire_values import bodies

@settings(max_examples=200, database=None)
@given(bodies("every-kind.v1"), st.data())
def changed(body, data):
    good = codec.encode(body)
    at, width = data.draw(st.integers(0, len(good))), data.draw(st.integers(0, 3))
    again_or_malformed("every-kind.v1", good[:at] + data.draw(st.binary(max_size=3)) + good[at + width :])

changed()
"""


def test_every_kind_that_a_schema_may_use_agrees_with_the_oracle_and_survives_fuzzing(copy: Path) -> None:
    (copy / "schemas" / "avro" / "every-kind.v1.avsc").write_text(json.dumps(every_kind()), "utf-8")
    made = run(copy, "-m", "referral.wire.schema.generate")
    assert made.stderr == ""
    agreed = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "every-kind", "tests/integration/wire/test_avro.py")
    assert "2 passed" in agreed.stdout, agreed.stdout[-3000:]
    fuzzed = run(copy, "-c", FUZZ)
    assert fuzzed.stderr == "", fuzzed.stderr[-3000:]
