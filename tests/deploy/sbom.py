"""The bill of materials of an image, and what stands in the image by other evidence: where the two disagree.

Evidence for a package of Debian is that the image's files are those of its archive (apt has verified it), by the sums that it lists; for a
Python distribution, what Python finds in a container; for a jar, its own sum; for the Java, what it says of itself.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from referral.local import data_folder
from tests.deploy import contents, images
from tests.deploy.contents import Entry
from tests.deploy.engine import Engine

DEBIAN = data_folder.default_jars().parent / "apt" / "debs"
"""Folder in which deploy/image/base.sh keeps what apt has verified: also what earlier images were made of."""
SITE, APP, JAVA, JARS = "opt/referral/site/", "opt/referral/app/", "opt/java/", "opt/kafka/jars/"
OURS = re.compile(
    r"var/lib/dpkg/status\.d/|etc/(passwd|group|nsswitch\.conf|hosts|hostname|resolv\.conf|ssl/certs/ca-certificates\.crt)$|opt/(database\.sh|kafka/(broker\.sh|asked\.sh|java\.args))$"
    rf"|{APP}|{JAVA}"
)
"""What deploy/image makes itself; empty files, which an engine fills; the product, which a test compares with the commit; the Java, which
is one piece."""
MERGED = re.compile(r"^(bin|sbin|lib|lib64)/")
"""Folders that are links to those of /usr."""
FIND = "import importlib.metadata as m, json; print(json.dumps([[d.name, d.version] for d in m.distributions()]))"


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in an image. packages: purl without its qualifiers → versions that it may be (two of Debian's can have the same files).
    strange: files that none of them brings."""

    packages: Mapping[str, frozenset[str]]
    strange: tuple[str, ...]


def document(name: str, archive: Path) -> str:
    """Return the text of an image's bill."""
    words = [sys.executable, "deploy/image/sbom.py", name, str(archive)]
    return subprocess.run(words, cwd=images.ROOT, capture_output=True, text=True, check=True).stdout


def listed(name: str, archive: Path) -> list[str]:
    """Return what an image's bill lists: `pkg:pypi/httpx@0.28.1`."""
    return [part["purl"] for part in json.loads(document(name, archive))["components"]]


def found(engine: Engine, name: str, archive: Path) -> Found:
    """Return what stands in an image, as the files say, and a container of it in the engine."""
    everything = contents.read(archive)
    files = {path: entry for path, entry in everything.items() if entry.is_file}
    packages: dict[str, set[str]] = {}
    brought = {path for path, entry in everything.items() if entry.kind == "link"}
    for deb in sorted(DEBIAN.glob("*.deb")):
        package, version, _ = deb.name.removesuffix(".deb").replace("%3a", ":").split("_")
        if theirs := _unpacked(deb, files):
            packages.setdefault(f"pkg:deb/debian/{package}", set()).add(version)
            brought |= theirs
    if name in ("services", "oversight"):
        for one, version in json.loads(engine.docker("run", "--rm", "--entrypoint", "python3", f"referral-{name}", "-c", FIND).stdout):
            packages[f"pkg:pypi/{re.sub(r'[-_.]+', '-', one).lower()}"] = {version}
            brought |= {SITE + str(path) for path in importlib.metadata.files(one) or ()}
    if name == "broker":
        said = engine.docker("run", "--rm", "--entrypoint", "/opt/java/bin/java", "referral-broker", "--version").stdout
        packages["pkg:generic/openjdk"] = {said.split()[1]}
        for sha256, (purl, version) in _jars().items():
            if theirs := {path for path, entry in files.items() if path.startswith(JARS) and entry.sha256 == sha256}:
                packages[purl] = {version}
                brought |= theirs
    strange = (path for path in files if _source(path) not in brought and not OURS.match(path))
    return Found({purl: frozenset(versions) for purl, versions in packages.items()}, tuple(sorted(strange)))


def disagreements(bill: Mapping[str, Any], found: Found) -> list[str]:
    """Return in what a bill and an image disagree, a line each."""
    said = {unquote(part["purl"].partition("@")[0]): part["version"] for part in bill["components"]}
    lines = [f"{purl} stands in the image, and not in the bill" for purl in sorted(found.packages.keys() - said.keys())]
    lines += [f"{purl} stands in the bill, and not in the image" for purl in sorted(said.keys() - found.packages.keys())]
    for purl in sorted(said.keys() & found.packages.keys()):
        if said[purl] not in found.packages[purl]:
            lines.append(f"{purl} is {said[purl]} in the bill, and {' or '.join(sorted(found.packages[purl]))} in the image")
    return lines + [f"{path} is of no package of the bill" for path in found.strange]


def _unpacked(deb: Path, files: Mapping[str, Entry]) -> set[str]:
    """Return the image's files that a package of Debian brings; none if one of them is not this version's."""
    sums = {_merged(path): md5 for md5, path in (line.split(maxsplit=1) for line in _control(deb, "md5sums"))}
    here = {path for path in sums if path in files}
    if any(files[path].md5 != sums[path] for path in here):
        return set()
    return here and here | {_merged(line.split()[-1].lstrip("/")) for line in _control(deb, "conffiles")}


def _control(deb: Path, part: str) -> list[str]:
    """Return the lines of a part of a package's description; none if it has no such part."""
    said = subprocess.run(["dpkg-deb", "--info", deb, part], capture_output=True, text=True, check=False).stdout
    return [line for line in said.splitlines() if line.strip()]


def _merged(path: str) -> str:
    return MERGED.sub(r"usr/\g<0>", path)


def _source(path: str) -> str:
    """Return the module that a compiled one was made of; any other path as it is."""
    file = PurePosixPath(path)
    return str(file.parent.parent / f"{file.name.partition('.')[0]}.py") if file.parent.name == "__pycache__" else path


def _jars() -> dict[str, tuple[str, str]]:
    """Return sum → package and version of each jar of the lock file."""
    lines = [line.split() for line in (images.ROOT / "deploy/kafka/jars.lock").read_text().splitlines() if not line.startswith("#")]
    return {sha256: (f"pkg:maven/{group}/{name}", version) for group, name, version, sha256 in lines}
