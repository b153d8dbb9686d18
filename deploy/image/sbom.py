"""Print what an image is made of as CycloneDX 1.5: sbom.py NAME ARCHIVE.

Debian's packages and Python's come from the image itself, jars from deploy/kafka/jars.lock; the same image gives the same text.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
import uuid
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEBIAN = re.compile(r"^(\./)?var/lib/dpkg/status\.d/[^/]+$")
PYTHON = re.compile(r"opt/referral/site/[^/]+\.dist-info/METADATA$")
JAVA = re.compile(r"opt/java/release$")


def describe(name: str, archive: Path) -> dict[str, Any]:
    """Return the document of an image, given its name and its archive."""
    with tarfile.open(archive) as whole:
        manifest = json.load(_member(whole, "manifest.json"))[0]
        config = json.load(_member(whole, manifest["Config"]))
        parts = [part for layer in manifest["Layers"] for part in _parts(whole, layer)]
    if name == "broker":
        parts += _jars()
    digest = "sha256:" + manifest["Config"].removesuffix(".json")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'referral-{name}@{digest}')}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromisoformat(config["created"]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "container",
                "bom-ref": digest,
                "name": f"referral-{name}",
                "version": config["config"]["Labels"]["org.opencontainers.image.revision"],
                "hashes": [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}],
            },
        },
        "components": sorted(parts, key=lambda part: str(part["purl"])),
    }


def _parts(whole: tarfile.TarFile, layer: str) -> list[dict[str, Any]]:
    """Return the packages that a layer brings."""
    found = []
    with tarfile.open(fileobj=_member(whole, layer)) as files:
        for file in files:
            if not file.isfile():
                continue
            if DEBIAN.search(file.name):
                found.append(_debian(_text(files, file)))
            elif PYTHON.search(file.name):
                found.append(_python(_text(files, file)))
            elif JAVA.search(file.name):
                found.append(_java(_text(files, file)))
    return found


def _debian(text: str) -> dict[str, Any]:
    said = HeaderParser().parsestr(text)
    purl = f"pkg:deb/debian/{said['Package']}@{said['Version']}?arch={said['Architecture']}&distro=debian-12"
    return {**_component(said["Package"], said["Version"], purl), "supplier": {"name": said["Maintainer"]}}


def _python(text: str) -> dict[str, Any]:
    said = HeaderParser().parsestr(text)
    name = re.sub(r"[-_.]+", "-", said["Name"]).lower()
    part = _component(name, said["Version"], f"pkg:pypi/{name}@{said['Version']}")
    return {**part, "licenses": [{"expression": said["License-Expression"]}]} if said["License-Expression"] else part


def _java(text: str) -> dict[str, Any]:
    said = dict(re.findall(r'^(\w+)="(.*)"$', text, re.MULTILINE))
    return _component("openjdk", said["JAVA_VERSION"], f"pkg:generic/openjdk@{said['JAVA_VERSION']}")


def _jars() -> list[dict[str, Any]]:
    lines = [line.split() for line in (ROOT / "deploy" / "kafka" / "jars.lock").read_text().splitlines() if not line.startswith("#")]
    return [
        {
            **_component(name, version, f"pkg:maven/{group}/{name}@{version}"),
            "group": group,
            "hashes": [{"alg": "SHA-256", "content": sha256}],
        }
        for group, name, version, sha256 in lines
    ]


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    purl = purl.replace("+", "%2B")
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _member(whole: tarfile.TarFile, name: str) -> Any:
    file = whole.extractfile(name)
    if file is None:
        raise SystemExit(f"{name} is no file in the archive: it is not what build.sh writes")
    return file


def _text(files: tarfile.TarFile, file: tarfile.TarInfo) -> str:
    return str(_member(files, file.name).read().decode())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe(sys.argv[1], Path(sys.argv[2])), indent=2, sort_keys=True) + "\n")
