"""docs/log-format.md has a row for every kind, field, signed text and line of the policy, and each has vectors, which are as made."""

from __future__ import annotations

import ast
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, json, structs

from referral.domain.decide import DECIDES
from referral.domain.events import EVENTS, EntryKind, Facts, Head, Leaf, Meta
from referral.proof.act import Act, State
from referral.proof.entry import SEQUENCED, Gap, Kind
from referral.proof.heartbeat import Heartbeat
from referral.proof.reading import How, Reading
from referral.proof.receipt import NAMED, SAID
from referral.proof.scan import COLUMNS
from referral.proof.verify.log import verify
from referral.proof.verify.report import LAYERS, Weight
from referral.wire import leaf
from referral.wire.security_event import Kind as EventKind
from referral.wire.security_event import Row
from referral.wire.signed import trust
from referral.wire.signed.operator_word import BY_TWO, Word
from referral.wire.signed.trust_lines import Keyword
from tests.harness.audit_log import FILES, POLICY
from tests.vectors import alone, exports, lies, omitted
from tests.vectors.__main__ import MADE
from tests.vectors.form import FOLDER
from tests.vectors.signatures import directory_digest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "log-format.md").read_text("utf-8")
STRUCTS: dict[type[Struct], tuple[str, str, str]] = {
    Leaf: ("## 4 ", "leaf", "field {}"),
    Meta: ("## 8 ", "sealed", "field {}"),
    Gap: ("### 9.1 ", "own", "GAP field {}"),
    Heartbeat: ("### 9.3 ", "own", "HEARTBEAT field {}"),
    Reading: ("### 9.4 ", "own", "READING field {}"),
    Act: ("### 9.5 ", "own", "ADMINISTRATION field {}"),
    Word: ("### 9.5 ", "operators", "word: field {} changed"),
    Head: ("### 15.3 ", "body", "head: field {}"),
    Facts: ("### 15.3 ", "body", "facts: field {}"),
    Row: ("## 16 ", "security", "field {}"),
}
"""Struct that is logged or signed → the section with its rows, the file with its vectors, and the name of the vector of a field."""
ELSEWHERE = {"idx": "the entry of the seal, which no row hashes"}
"""Field without a row → why."""
ELSEWHERE_TOLD = {"SEAL", "BODY", "FORK", "SEQUENCE_GAP", "NEWER_VERSION"}
"""Findings of those modules that are of any record: `order.json`, `body.json` and the export `forged` tell them."""
FORGED = {"WRITER", "POLICY_FORGED", "ACT_ALONE", "BODY", "ERASURE_ALONE"}
"""Findings of the export `forged`, as the last test of this file wants them."""
LIVE = {"ABOVE", "HEAD"}
"""Findings about a running system alone."""


def section(title: str) -> str:
    """The text of a section, without those below it."""
    assert f"\n{title}" in PAGE, title
    return re.split(r"\n##", PAGE.partition(f"\n{title}")[2])[0]


def rows(title: str) -> set[str]:
    """The words in the first two columns of the tables of a section."""
    cells = (cell for line in section(title).splitlines() if line.startswith("|") for cell in line.split("|")[1:3])
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def vectors(name: str) -> dict[str, dict[str, Any]]:
    found = {one["name"]: one for one in json.decode((FOLDER / f"{name}.json").read_bytes())["vectors"]}
    assert found, name
    return found


@pytest.mark.parametrize("name", MADE)
def test_a_file_of_vectors_is_as_made_and_the_page_names_it(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_bytes() == MADE[name]().encode(), "look at the change, then: python -m tests.vectors --update"
    assert f"`{name}.json`" in PAGE
    assert {one["good"] for one in vectors(name).values()} <= {True, False}
    assert all(one["why"] for one in vectors(name).values() if not one["good"])


def test_no_file_of_vectors_is_left_over() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(MADE)


def test_every_kind_has_a_row_and_a_leaf() -> None:
    table = [line.split("|") for line in section("## 5 ").splitlines() if re.match(r"\| \d", line)]
    said = {cells[2].strip(" `"): (int(cells[1]), cells[5].strip() == "yes", int(cells[7])) for cells in table}
    oldest = {kind: min(n for n in (1, 2, 3) if str(kind) in _symbols(n)) for kind in EntryKind}
    assert said == {str(kind): (place, kind in SEQUENCED, oldest[kind]) for place, kind in enumerate(EntryKind)}
    assert {f"kind {kind}" for kind in Kind if kind is not Kind.UNKNOWN} <= vectors("leaf").keys()
    assert {"version 1", "version 2"} <= vectors("leaf").keys() and len(leaf.READ) == 3


def _symbols(version: int) -> list[str]:
    fields = json.decode((ROOT / "schemas" / "avro" / f"leaf.v{version}.avsc").read_bytes())["fields"]
    symbols: list[str] = fields[0]["type"]["symbols"]
    return symbols


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_field_has_a_row_and_a_vector(struct: type[Struct]) -> None:
    title, file, name = STRUCTS[struct]
    fields = {one.encode_name for one in structs.fields(struct)}
    assert fields - rows(title) - ELSEWHERE.keys() == set(), "give it a row in this section"
    assert {name.format(field) for field in fields} - vectors(file).keys() == set(), "give it a vector"


def test_every_event_has_a_body() -> None:
    assert EVENTS.keys() <= vectors("body").keys()


def test_every_field_of_an_erasure_is_changed_once_and_each_signature_is_told() -> None:
    fields = {one.name for one in structs.fields(EVENTS["case-erased.v4"])}
    assert {f"field {field} changed after signing" for field in fields} <= vectors("erasure").keys()
    assert {field for field in fields if "signature" in field} <= rows("### 12.5 ")


def test_every_line_of_the_policy_has_a_row_and_vectors() -> None:
    ours = {*map(str, Keyword)}
    told = {row.removeprefix("# ").split()[0] for row in rows("## 11 ") if row.startswith("# ")}
    assert ours == told
    found = vectors("policy-lines")
    assert {f"line {word}" for word in ours} <= found.keys()
    refused = {one["base"] for one in found.values() if not one["good"]}
    assert {f"line {word}" for word in ours} == refused
    fields = {row.partition(".")[0] for row in rows("## 11 ")}
    assert set(trust.FIELDS) <= fields
    named = " ".join(vectors("trust"))
    assert [field for field in trust.FIELDS if f"field {field} " not in named] == []


def test_every_signed_text_begins_as_the_page_says() -> None:
    found = set[str]()
    for path in (*(ROOT / "referral" / "wire").rglob("*.py"), *(ROOT / "referral" / "proof").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else b""
            text = text.decode("ascii", "replace") if isinstance(text, bytes) else text
            if isinstance(text, str) and re.fullmatch(r"referral-[a-z-]+-v\d\n?", text):
                found.add(text.strip())
    assert len(found) > 8
    assert [text for text in sorted(found) if f'"{text}\\n"' not in section("## 12 ")] == []


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("### 9.4 ", tuple(How)),
        ("### 9.5 ", tuple(State)),
        ("### 12.4 ", tuple(BY_TWO)),
        ("### 15.1 ", tuple(one.TYPE.rpartition(".v")[0] for one in DECIDES if hasattr(one, "TYPE"))),
        ("## 16 ", tuple(EventKind)),
        ("## 13 ", (*SAID, *NAMED)),
        ("## 2 ", COLUMNS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_word_of_a_list_is_in_its_section(title: str, words: tuple[str, ...]) -> None:
    assert words and [word for word in words if f"`{word}`" not in section(title)] == []


def test_the_digests_that_a_decision_names_are_as_the_page_says() -> None:
    assert directory_digest(FILES) == POLICY.directory
    assert {
        sha256(data).hexdigest() for path, data in FILES.items() if path.startswith(("pathways/", "unverified/"))
    } == POLICY.pinned.keys()


@pytest.mark.parametrize("name", omitted.EVERY)
def test_each_lie_of_routing_is_found_and_nothing_but_its_decision_is_bad(name: str) -> None:
    lie = omitted.EVERY[name]
    line = lies.told(lie)
    report = verify(line.entries, line.keys)
    worst = Weight.BAD if lie.exit_code == 1 else Weight.UNCHECKED
    assert report.exit_code() == lie.exit_code
    assert {found.code for found in report.findings if found.weight is worst} == {lie.finding} | lie.beside


def test_every_finding_about_decisions_and_omissions_has_a_log_that_tells_it() -> None:
    """A code that one of these modules prints, and no lie shows, cannot be tried by a judge of another maker."""
    found = set[str]()
    for module in ("facts", "omissions", "progress", "knocks", "reexecute"):
        tree = ast.parse((ROOT / "referral" / "proof" / "verify" / f"{module}.py").read_text("utf-8"))
        words = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        found |= {word for word in words if isinstance(word, str) and re.fullmatch(r"[A-Z]{2,}(?:_[A-Z]+)*", word)}
    told = {lie.finding for lie in omitted.EVERY.values()}
    assert len(found) > 20 and found - told - ELSEWHERE_TOLD == set(), "make a lie that leads to it: tests/vectors/omitted.py"
    assert {vector["finding"] for vector in vectors("lies").values()} == told
    both = {(lie.finding, lie.exit_code) for lie in omitted.EVERY.values()}
    assert {(code, weight) for code in ("NOT_DECIDED", "OVERDUE", "NOT_KNOCKED", "BUNDLE_OLD") for weight in (1, 3)} <= both


@pytest.mark.parametrize("name", alone.EVERY)
def test_each_export_with_one_finding_has_it_and_no_other_that_counts(name: str, tmp_path: Path) -> None:
    one = alone.EVERY[name]
    report = exports.export(tmp_path / name, one.make(), one)
    assert report.exit_code() == one.exit_code
    assert {found.code for found in report.findings if found.weight} == {one.finding} - {""}


def test_every_finding_of_a_verifier_has_a_vector_or_an_export_or_the_page_says_that_it_has_none() -> None:
    told = {one.finding for one in (*omitted.EVERY.values(), *alone.EVERY.values())} | {code for _, _, code in exports.MUTATIONS} | FORGED
    told |= {one["why"] for one in vectors("checkpoint").values() if not one["good"]}
    told |= {code for one in vectors("policy").values() for code in one.get("findings", ())}
    told |= {code for one in vectors("order").values() for _, code, _ in one["findings"]}
    none = {code for codes in LAYERS.values() for code in codes} - told - LIVE
    assert none == set(re.findall(r"`([A-Z_]+)`", section("## 17 ").partition("These findings have neither")[2].partition("\n")[0]))


def test_the_log_of_the_lies_is_good_without_one() -> None:
    line = lies.told(lies.Lie(what="", finding=""))
    assert verify(line.entries, line.keys).exit_code() == 0


def test_every_finding_of_a_verifier_is_on_the_page() -> None:
    named = set(re.findall(r"`([A-Z]{2,}(?:_[A-Z]+)*)`", PAGE))
    assert {code for codes in LAYERS.values() for code in codes} - named == LIVE


def test_the_clean_export_has_everything_and_is_good_and_each_change_of_a_file_is_found(tmp_path: Path) -> None:
    line = exports.clean()
    assert {entry.kind for entry in line.entries} == {*Kind} - {Kind.UNKNOWN, Kind.FORK}
    assert set(exports.procedures(line)) == {pathway.id for pathway in POLICY.current}
    report = exports.export(tmp_path / "clean", line)
    assert report.exit_code() == 0, [found for found in report.findings if found.weight > Weight.NOTE]
    assert report.counts["decisions re-executed"] == report.counts["decisions"] > 80
    for file, done, code in exports.MUTATIONS:
        put_back = exports.mutated(tmp_path / "clean" / "export", file, done)
        found = exports.judged(tmp_path / "clean" / "export", line.keys)
        assert found.exit_code() == 1 and code in {one.code for one in found.findings if one.weight is Weight.BAD}, (file, done)
        put_back()
    assert exports.judged(tmp_path / "clean" / "export", line.keys).exit_code() == 0


def test_the_forged_export_names_each_forgery_and_is_made_with_the_same_bytes_again(tmp_path: Path) -> None:
    line = exports.forged()
    assert line.entries == exports.forged().entries
    assert Kind.FORK in {entry.kind for entry in line.entries}
    report = exports.export(tmp_path / "forged", line)
    bad = [found.code for found in sorted(report.findings, key=lambda one: one.place()) if found.weight is Weight.BAD]
    assert bad == ["WRITER", "POLICY_FORGED", "ACT_ALONE", "BODY", "ERASURE_ALONE"] and {*bad} == FORGED
    assert report.counts["decisions re-executed"] == report.counts["decisions"]
