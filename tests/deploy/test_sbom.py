"""The bill of materials of each image: CycloneDX by its own schema, and what stands in the image, both ways."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

from referral.wire.schema import generate
from tests.deploy import contents, images, sbom
from tests.deploy.engine import Engine
from tests.harness.wire_values import SCHEMAS

KINDS = {
    "services": ("pkg:deb/", "pkg:pypi/"),
    "oversight": ("pkg:deb/", "pkg:pypi/"),
    "broker": ("pkg:deb/", "pkg:maven/", "pkg:generic/"),
    "database": ("pkg:deb/",),
}
"""Image → kinds of packages in it."""
PYTHON = {"python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux", "platform_machine": "x86_64"}
"""That of Debian 12, which is in the images."""


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", KINDS)
def test_the_bill_is_what_stands_in_the_image(engine: Engine, name: str, record_property: Callable[[str, str], None]) -> None:
    archive = images.archive(name)
    text = sbom.document(name, archive)
    bill = json.loads(text)
    engine.load(name)
    found = sbom.found(engine, name, archive)

    errors = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text, all_errors=True)
    assert [str(error) for error in errors or ()] == []
    assert all(PackageURL.from_string(part["purl"]).version == part["version"] for part in bill["components"])
    assert bill["metadata"]["component"]["bom-ref"] == images.digest(archive)
    assert sbom.disagreements(bill, found) == []
    assert {purl for part in bill["components"] for purl in KINDS[name] if part["purl"].startswith(purl)} == set(KINDS[name])
    record_property("figure", f"{name}: {len(bill['components'])} packages, every file is of one of them")

    for kind in KINDS[name]:
        _is_refused(bill, found, kind)


def _is_refused(bill: dict[str, Any], found: sbom.Found, kind: str) -> None:
    """A bill that lacks a package of a kind, has one more, or another version of one is refused, by the package's name."""
    at = next(number for number, part in enumerate(bill["components"]) if part["purl"].startswith(kind))
    one = bill["components"][at]
    name = re.escape(unquote(one["purl"].partition("@")[0]))
    lacks, more, other = (copy.deepcopy(bill) for _ in range(3))
    del lacks["components"][at]
    more["components"].append({**one, "purl": f"{kind}made-up@1"})
    other["components"][at]["version"] = "0.0.1"
    for changed, line in (
        (lacks, f"{name} stands in the image, and not in the bill"),
        (more, f"{re.escape(kind)}made-up stands in the bill, and not in the image"),
        (other, f"{name} is 0.0.1 in the bill, and .* in the image"),
    ):
        (said,) = sbom.disagreements(changed, found)
        assert re.fullmatch(line, said)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("name", "packages"), {"services": "python", "oversight": "python", "broker": "java", "database": "postgres"}.items()
)
def test_the_image_is_what_was_asked_for(name: str, packages: str) -> None:
    """Debian's packages and Python's are those of the lists, and the product is what is committed, with the codecs of its schemas."""
    archive = images.archive(name)
    listed = [PackageURL.from_string(purl) for purl in sbom.listed(name, archive)]
    wanted = (images.ROOT / "deploy" / "image" / "packages" / packages).read_text().splitlines()
    assert {one.name for one in listed if one.type == "deb"} == {line for line in wanted if not line.startswith("#")}
    lock = images.ROOT / "deploy" / "image" / f"{name}.lock"
    locked = [Requirement(line.rstrip(" \\")) for line in lock.read_text().splitlines() if "==" in line] if lock.exists() else []
    meant = {f"{one.name}{one.specifier}" for one in locked if one.marker is None or one.marker.evaluate(PYTHON)}
    assert {f"{one.name}=={one.version}" for one in listed if one.type == "pypi"} == meant
    product = {path.removeprefix(sbom.APP) for path, entry in contents.read(archive).items() if entry.is_file and path.startswith(sbom.APP)}
    words = ["git", "ls-tree", "-r", "--name-only", "HEAD", "--", *images.MADE_OF[name][1:]]
    committed = subprocess.run(words, cwd=images.ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    meant = {*committed, *generate.codecs(SCHEMAS)} if packages == "python" else set()
    assert {path for path in product if not path.endswith(".pyc")} == meant


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("change", [("components", 0, "type", "jar"), ("version", 0), ("metadata", "timestamp", 7), ("colour", "red")])
def test_the_schema_refuses_what_it_does_not_know(change: tuple[Any, ...]) -> None:
    bill = json.loads(sbom.document("database", images.archive("database")))
    place = bill
    for step in change[:-2]:
        place = place[step]
    place[change[-2]] = change[-1]
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(bill)) is not None
