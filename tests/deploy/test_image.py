"""The images: two builds have one digest, little stands in them, and on a real engine they run as nobody, with nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy import images
from tests.deploy.engine import Engine

MOST_MB = 200
"""Of the services' image, unpacked (ours): it is copied to every machine of a line, at every release."""
HARD = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
ABSENT = re.compile(
    r"(^|/)(pip|ensurepip|setuptools|uv|tests|test|perl\w*|apt[\w-]*|dpkg(-\w+)?|debconf|sh|bash|dash|su|mount|\.git|\.\w*_history)(/|$)|\.(key|pem|c|pyx|h)$"
)
LET = re.compile(r"var/lib/dpkg(/status\.d.*)?$|certifi/cacert\.pem$|/ssl/cert\.pem$|share/doc/")
"""The list of packages, and public certificates."""
CARRIED = ("referral/", "services/", "schemas/", "policy/", "deploy/kafka/")
"""What a wheel brings: the program, and what it looks for beside itself."""
LOOK = """
import json, os, zoneinfo, datetime
said = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
def refused(path):
    try:
        open(path, "w")
    except OSError as error:
        return error.strerror
written = {path: refused(path) for path in ("/opt/referral/x", "/usr/bin/x", "/etc/passwd", "/tmp/x")}
noon = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC).astimezone(zoneinfo.ZoneInfo("Europe/Belgrade"))
print(json.dumps({**said, "written": written, "noon": noon.isoformat(), "groups": os.getgroups()}))
"""


def packages(archive: Path) -> list[str]:
    """Return what stands in an image, as its SBOM says: `pkg:pypi/httpx@0.28.1`."""
    return [part["purl"] for part in sbom("services", archive)["components"]]


def sbom(name: str, archive: Path) -> dict[str, object]:
    """Return the document of an image."""
    words = [sys.executable, "deploy/image/sbom.py", name, str(archive)]
    return json.loads(subprocess.run(words, cwd=images.ROOT, capture_output=True, check=True).stdout)  # type: ignore[no-any-return]


@pytest.mark.timeout(1800)
def test_two_builds_have_one_digest(tmp_path: Path, record_property: Callable[[str, str], None]) -> None:
    first, second = images.archive("services"), tmp_path / "second.tar"
    digest = images.build("services", second)
    if packages(first) != packages(second):  # Debian has released something since the first was built
        first = tmp_path / "first.tar"
        images.build("services", first)
    record_property("figure", f"services: {digest}")
    assert first.read_bytes() == second.read_bytes()
    assert sbom("services", first) == sbom("services", second)


@pytest.mark.timeout(1800)
def test_little_stands_in_the_image(record_property: Callable[[str, str], None]) -> None:
    names, size, keys, strong = [], 0, [], []
    with tarfile.open(images.archive("services")) as whole:
        for layer in json.load(whole.extractfile("manifest.json"))[0]["Layers"]:  # type: ignore[arg-type]
            with tarfile.open(fileobj=whole.extractfile(layer)) as files:
                for file in files:
                    names.append(file.name)
                    size += file.size
                    strong += [file.name] if file.isfile() and file.mode & 0o6000 else []
                    content = files.extractfile(file) if file.isfile() and not file.name.endswith((".py", ".pyc", ".so")) else None
                    keys += [file.name] if content and re.search(rb"BEGIN [A-Z ]*PRIVATE KEY-----\s*\n", content.read()) else []
    record_property("figure", f"services: {size / 1e6:.0f} MB, {len(names)} files")
    assert [name for name in names if ABSENT.search(name) and not LET.search(name)] == []
    assert (keys, strong) == ([], [])
    assert size < MOST_MB * 1e6


@pytest.mark.timeout(1800)
def test_it_runs_as_nobody_with_nothing(engine: Engine, record_property: Callable[[str, str], None]) -> None:
    engine.load("services")
    seen = json.loads(engine.docker("run", "--rm", *HARD, "--entrypoint", "python3", "referral-services", "-c", LOOK).stdout)
    record_property("figure", "uid {Uid}, CapBnd {CapBnd}, NoNewPrivs {NoNewPrivs}, Seccomp {Seccomp}".format_map(seen).replace("\t", " "))
    assert seen["Uid"].split() == seen["Gid"].split() == ["10001"] * 4
    assert {int(seen[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2")
    assert set(seen["written"].values()) == {"Read-only file system"}
    assert seen["noon"] == "2026-07-01T14:00:00+02:00"
    shell = engine.docker("run", "--rm", "--entrypoint", "/bin/sh", "referral-services", "-c", "true", check=False)
    assert shell.returncode == 127


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("image", "services"), [("services", "intake routing notifier audit watchman"), ("oversight", "oversight")])
def test_each_service_and_the_command_line_load(engine: Engine, image: str, services: str) -> None:
    engine.load(image)
    everything = "; ".join(f"import services.{name}.__main__" for name in services.split())
    done = engine.docker("run", "--rm", *HARD, "--entrypoint", "python3", f"referral-{image}", "-c", everything, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: python -m referral.cli" in engine.docker("run", "--rm", *HARD, f"referral-{image}", "referral.cli", "--help").stdout


@pytest.mark.timeout(1800)
def test_the_sbom_names_what_the_lock_names() -> None:
    """CycloneDX 1.5 by its structure: what a reader of such files relies on."""
    for image in ("services", "database"):
        document = sbom(image, images.archive(image))
        parts = document["components"]
        assert isinstance(parts, list)
        assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.5", 1)
        assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(document["serialNumber"]))
        assert len({part["bom-ref"] for part in parts}) == len(parts)
        assert all(part["type"] == "library" and part["version"] and part["purl"].startswith("pkg:") for part in parts)
        python = {f"{part['name']}=={part['version']}" for part in parts if part["purl"].startswith("pkg:pypi/")}
        lock = images.ROOT / "deploy" / "image" / f"{image}.lock"
        assert python == (set(re.findall(r"^(\S+==\S+) (?!; .*win32)", lock.read_text(), re.M)) if lock.exists() else set())
        listed = images.ROOT / "deploy" / "image" / "packages" / {"services": "python", "database": "postgres"}[image]
        debian = {part["name"] for part in parts if part["purl"].startswith("pkg:deb/debian/")}
        assert debian == {line for line in listed.read_text().splitlines() if not line.startswith("#")}


def test_two_wheels_have_one_sum_and_carry_what_they_need(tmp_path: Path, record_property: Callable[[str, str], None]) -> None:
    for name in ("first", "second"):
        subprocess.run(["bash", "deploy/release.sh", "wheel", str(tmp_path / name)], cwd=images.ROOT, check=True, timeout=200)
    first, second = (next((tmp_path / name).glob("*.whl")) for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    listed = subprocess.run(["git", "ls-tree", "-r", "--name-only", "HEAD"], cwd=images.ROOT, capture_output=True, text=True, check=True)
    wanted = {name for name in listed.stdout.splitlines() if name.startswith(CARRIED)}
    with zipfile.ZipFile(first) as wheel:
        assert wanted - set(wheel.namelist()) == set()
    record_property("figure", f"{first.name}: {len(wanted)} files of the product")
