"""The security pages say what is so: every line is settled by one thing, every test that they name exists, every secret is listed."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.attacks.taken_over import SECRET
from tests.harness import settings_page
from tests.unit.docs.test_docs import ROOT, SOURCES

THREATS, ASVS, INVENTORY = (ROOT / "docs" / name for name in ("security.md", "reference/asvs.md", "reference/inventory.md"))
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
STRIDE = {"spoofing", "tampering", "repudiation", "information", "denial", "elevation"}
ARROWS = 14
"""Arrows of the README's picture, and what stands behind it: operators, database, keys."""
LINES = {"1": 70, "2": 183}
"""Requirements of OWASP ASVS 5.0.0 by level."""
PURPOSE = re.compile(r"""\.(?:hmac|box|_?purpose)\(\s*(?:["']([a-z-]+)["']|([A-Z_]+))""")
STRONG = {"AESGCM", "HKDF", "SHA256", "sha256", "sha1", "blake2b", "file_digest", "Ed25519PrivateKey", "Ed25519PublicKey"}
STRONG |= {"pbkdf2_hmac"}  # of random passwords, for SCRAM alone
STRONG |= {"ec", "EllipticCurvePrivateKey", "EllipticCurvePublicKey"}  # of P-256 alone: referral/ca/keys.py
STRONG |= {"X25519PrivateKey", "X25519PublicKey", "Suite", "KEM.X25519", "KDF.HKDF_SHA256", "AEAD.AES_256_GCM"}
IDS = {"referral/domain/inputs.py"}
"""The one file that may use SHA-1: RFC 9562 wants it for ids of version 5."""


def rows(page: str) -> list[list[str]]:
    """Return the cells of all rows of tables, without their heads."""
    lines = page.splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for number, line in enumerate(lines)
        if line.startswith("| ") and not lines[min(number + 1, len(lines) - 1)].startswith("|---")
    ]


def arrows(page: str) -> dict[str, list[list[str]]]:
    """Return the rows of each arrow."""
    parts = re.split(r"^## (\d+ · .+)$", page, flags=re.M)[1:]
    return {title: rows(body) for title, body in zip(parts[::2], parts[1::2], strict=True)}


@cache
def names_in(file: Path) -> frozenset[str]:
    """Return the names of the tests in a file."""
    if not file.exists():
        return frozenset()
    found = ast.parse(file.read_text("utf-8")).body
    return frozenset(one.name for one in found if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_"))


def settled(cell: str, *words: str) -> str:
    """Return what settles a line: `test`, or one of the words before a colon. AssertionError: nothing, two things, or no reason."""
    named = TEST.findall(cell)
    if named:
        assert not TEST.sub("", cell).strip(", "), f"a test and something else: {cell}"
        missing = [f"{path}::{name}" for path, name in named if name not in names_in(ROOT / path)]
        assert missing == [], "no such test"
        return "test"
    word, _, reason = cell.partition(": ")
    assert word in words and reason.strip(), f"settled by nothing: {cell}"
    assert word != "open" or reason in parts(), f"no part is called {reason}"
    return word


@cache
def parts() -> frozenset[str]:
    """Return the parts of the work that may be named after `open:`."""
    table = THREATS.read_text("utf-8").partition("| open | part |")[2].partition("\n\n")[0]
    return frozenset(re.findall(r"^\| ([AP]\d+) \|", table, re.M))


@pytest.mark.parametrize("arrow", arrows(THREATS.read_text("utf-8")))
def test_each_threat_of_an_arrow_is_settled_by_one_thing(arrow: str) -> None:
    found = arrows(THREATS.read_text("utf-8"))[arrow]
    assert {row[0] for row in found} == STRIDE
    for kind, threat, holds, by in found:
        assert threat and holds, (kind, threat)
        word = settled(by, "accepted by", "open")
        assert not holds.startswith("Nothing yet") or word == "open", f"nothing holds it, and a test says otherwise: {threat}"


def test_every_arrow_is_there_and_the_numbers_are_dense() -> None:
    assert [title.split(" ")[0] for title in arrows(THREATS.read_text("utf-8"))] == [str(n + 1) for n in range(ARROWS)]


def test_every_line_of_the_standard_is_settled_by_one_thing() -> None:
    lines = [row for row in rows(ASVS.read_text("utf-8")) if re.fullmatch(r"\d+\.\d+\.\d+", row[0])]
    assert len({row[0] for row in lines}) == len(lines), "a line stands there twice"
    assert {level: sum(row[1] == level for row in lines) for level in LINES} == LINES and len(lines) == sum(LINES.values())
    words = [settled(row[3], "no", "open") for row in lines]
    counts = {word: words.count(word) for word in ("test", "no", "open")}
    said = re.search(r"Of the 253 requirements (\d+) have a test, (\d+) do not apply .*? and (\d+) are `open:`", ASVS.read_text("utf-8"))
    assert said is not None and [int(number) for number in said.groups()] == list(counts.values())


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "done",
        "open:",
        "open: P99",
        "no: ",
        "`tests/unit/docs/test_security.py::test_that_nobody_wrote`",
        "`tests/unit/docs/test_gone.py::test_x`",
        "`tests/unit/docs/test_docs.py::table`",
        "`tests/unit/docs/test_docs.py::test_every_link_leads_somewhere` open: P1",
    ],
)
def test_a_line_that_says_nothing_or_names_no_test_is_found(cell: str) -> None:
    with pytest.raises(AssertionError):
        settled(cell, "no", "open")


def test_every_secret_setting_is_in_the_inventory() -> None:
    read = settings_page.variables()
    told = {name for row in rows(INVENTORY.read_text("utf-8")) for name in re.findall(r"`(REFERRAL_[A-Z_]+)`", row[0])}
    assert {name for name in read if SECRET.search(name)} == told


def constants(name: str) -> set[str]:
    """Return the values of all constants of this name."""
    return {found for text in SOURCES.values() for found in re.findall(rf'^{name} = "([a-z-]+)"', text, re.M)}


def test_every_purpose_of_a_derived_key_is_in_the_inventory() -> None:
    used = set()
    for text in SOURCES.values():
        for word, constant in PURPOSE.findall(text):
            values = constants(constant) if constant else {word}
            assert values, f"{constant}: which purpose is it?"
            used |= values
    table = INVENTORY.read_text("utf-8").partition("## Keys that the master key yields")[2].partition("\n## ")[0]
    assert used == {word for row in rows(table) for word in re.findall(r"`([a-z-]+)`", row[0])}


def test_the_code_uses_only_algorithms_of_the_inventory() -> None:
    """No ECB or CBC, no RSA with old padding, no MD5: what the code names of its libraries is on a short list."""
    used = {}
    for path, text in SOURCES.items():
        imported = re.findall(r"from cryptography\.hazmat\.primitives\.(?:ciphers|asymmetric|kdf)[\w.]* import (.+)", text)
        names = {name.strip() for line in imported for name in line.split(",")}
        names |= set(re.findall(r"\bhashes\.([A-Z]\w+)", text)) | set(re.findall(r"\bhashlib\.(\w+)", text))
        names |= set(re.findall(r"\b((?:KEM|KDF|AEAD)\.[A-Z_0-9]+)", text))
        used |= {f"{path}: {name}": name for name in names}
    assert sorted(where for where, name in used.items() if name not in STRONG) == []
    assert {where.partition(":")[0] for where, name in used.items() if name == "sha1"} == IDS


def test_no_program_of_a_service_follows_a_redirect() -> None:
    """httpx follows none unless it is told to; urllib, which does, is not used."""
    services = {path: text for path, text in SOURCES.items() if path.startswith(("services/", "referral/channels/", "referral/runtime/"))}
    assert [path for path, text in services.items() if "follow_redirects" in text or "urllib.request" in text] == []


def test_each_topic_and_each_table_stands_in_one_class_of_data() -> None:
    page = (ROOT / "docs" / "reference" / "data.md").read_text("utf-8")
    classes = {row[0][0] for row in rows(page.partition("## Topics")[0])}
    _, topics_, tables = re.split(r"^## (?:Topics|Tables)$", page, flags=re.M)
    given = yaml.safe_load((ROOT / "referral" / "runtime" / "postgres" / "rights.yaml").read_text("utf-8"))
    cards = yaml.safe_load((ROOT / "schemas" / "avro" / "topics.yaml").read_text("utf-8"))["topics"]
    for part, wanted in ((topics_, set(cards)), (tables, {table for role in given["roles"].values() for table in role})):
        named = [name for row in rows(part) for name in re.findall(r"`([^`]+)`", row[1])]
        assert sorted(named) == sorted(wanted), "each in one class: docs/reference/data.md"
        assert {row[0] for row in rows(part)} <= classes
    loop = re.findall(r"`(\w+)`", tables.rpartition("of the loop:")[2])
    assert sorted(loop) == sorted(given["loop"])
