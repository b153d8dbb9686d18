"""The images: two builds have one digest, little stands in them, and on a real engine they run as nobody, with nothing."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import pytest

from referral.wire.schema import generate
from tests.deploy import contents, images, sbom
from tests.deploy.engine import Engine
from tests.harness.wire_values import SCHEMAS

MOST_MB = 200
"""Of the services' image, unpacked (ours): it is copied to every machine of a line, at every release."""
HARD = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
ABSENT = re.compile(
    r"(^|/)(pip|ensurepip|setuptools|uv|tests|test|perl\w*|apt[\w-]*|dpkg(-\w+)?|debconf|sh|bash|dash|su|mount|\.git|\.\w*_history)(/|$)|\.(key|pem|c|pyx|h)$"
)
LET = re.compile(r"var/lib/dpkg(/status\.d.*)?$|certifi/cacert\.pem$|/ssl/cert\.pem$|share/doc/")
"""The list of packages, and public certificates."""
CARRIED = ("referral/", "services/", "schemas/", "policy/", "engines/", "deploy/kafka/", "deploy/monitoring/rules.yaml")
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


@pytest.mark.timeout(1800)
def test_two_builds_of_each_image_are_one_file(tmp_path: Path, record_property: Callable[[str, str], None]) -> None:
    """The second from another folder, on another day, in another time zone and with another umask; two at a time, the longest first."""
    elsewhere, names = images.Elsewhere(tmp_path / "elsewhere"), ("oversight", "services", "broker", "database")
    with ThreadPoolExecutor(2) as pool:
        digests = dict(zip(names, pool.map(lambda name: elsewhere.build(name, tmp_path / f"{name}.tar"), names), strict=True))
    for name, digest in digests.items():
        first, second = images.archive(name), tmp_path / f"{name}.tar"
        if sbom.listed(name, first) != sbom.listed(name, second):  # Debian has released something since the first was built
            first = tmp_path / "first.tar"
            images.build(name, first)
        record_property("figure", f"{name}: {digest}")
        assert contents.differences(first, second) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": b"other"}, r"etc/one: md5 \w+, \w+"),
        ({"mtime": 8}, r"etc/one: time 7, 8"),
        ({"mode": 0o600}, r"etc/one: mode 0o644, 0o600"),
        ({"uid": 10001}, r"etc/one: owner 0:0, 10001:0"),
        ({"name": "etc/two"}, r"etc/one: only in the first\netc/two: only in the second"),
        ({"created": "2026-01-01"}, r"config: created"),
    ],
)
def test_what_differs_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    made_up(tmp_path / "first.tar")
    made_up(tmp_path / "second.tar", **change)
    assert contents.differences(tmp_path / "first.tar", tmp_path / "first.tar") == []
    assert re.match(said, "\n".join(contents.differences(tmp_path / "first.tar", tmp_path / "second.tar")))


def made_up(file: Path, *, data: bytes = b"one", name: str = "etc/one", created: str = "", **properties: int) -> None:
    """Write an archive of an image with one file."""
    layer = io.BytesIO()
    _add(layer, {name: data}, **({"mtime": 7, "mode": 0o644} | properties))
    manifest = json.dumps([{"Config": "config.json", "Layers": ["layer.tar"]}])
    parts = {"layer.tar": layer.getvalue(), "config.json": json.dumps({"created": created}).encode(), "manifest.json": manifest.encode()}
    with file.open("wb") as whole:
        _add(whole, parts)


def _add(archive: IO[bytes], parts: dict[str, bytes], **properties: int) -> None:
    with tarfile.open(fileobj=archive, mode="w") as files:
        for name, data in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            for property, value in properties.items():
                setattr(entry, property, value)
            files.addfile(entry, io.BytesIO(data))


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
@pytest.mark.parametrize(("image", "services"), [("services", "intake routing notifier audit eraser watchman"), ("oversight", "oversight")])
def test_each_service_and_the_command_line_load(engine: Engine, image: str, services: str) -> None:
    engine.load(image)
    everything = "; ".join(f"import services.{name}.__main__" for name in services.split())
    done = engine.docker("run", "--rm", *HARD, "--entrypoint", "python3", f"referral-{image}", "-c", everything, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: python -m referral.cli" in engine.docker("run", "--rm", *HARD, f"referral-{image}", "referral.cli", "--help").stdout


def test_two_wheels_have_one_sum_and_carry_what_they_need(tmp_path: Path, record_property: Callable[[str, str], None]) -> None:
    for name in ("first", "second"):
        subprocess.run(["bash", "deploy/release.sh", "wheel", str(tmp_path / name)], cwd=images.ROOT, check=True, timeout=200)
    first, second = (next((tmp_path / name).glob("*.whl")) for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    listed = subprocess.run(["git", "ls-tree", "-r", "--name-only", "HEAD"], cwd=images.ROOT, capture_output=True, text=True, check=True)
    wanted = {name for name in listed.stdout.splitlines() if name.startswith(CARRIED)} | {*generate.codecs(SCHEMAS)}
    with zipfile.ZipFile(first) as wheel:
        assert wanted - set(wheel.namelist()) == set()
    record_property("figure", f"{first.name}: {len(wanted)} files of the product")
