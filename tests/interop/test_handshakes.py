"""Go's and Java's TLS say to each kind of certificate what ours says; where they differ, the table of cases says so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.certificates import CASES, Scene, scene, today

HERE = Path(__file__).parent
PATIENCE_S = 300

pytestmark = pytest.mark.xdist_group("go")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(tmp_path_factory.mktemp("certificates"), today())


def said(*command: str) -> dict[str, tuple[bool, bool]]:
    """Name of a case → believed as a server, as a client."""
    names = [case.name for case in CASES]
    done = subprocess.run([*command, *names], cwd=HERE, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stderr)
    rows = [line.split() for line in done.stdout.splitlines()]
    return {name: (server == "true", client == "true") for name, server, client in rows}


def test_go_judges_as_we_do(world: Scene, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed (1.25 or newer builds tests/interop)")
    subprocess.run(["go", "build", "-mod=readonly", "-o", tmp_path / "handshake", "./handshake"], cwd=HERE, check=True)
    assert said(str(tmp_path / "handshake"), str(world.folder)) == {case.name: case.go or case.believed for case in CASES}


def test_java_judges_as_we_do(world: Scene) -> None:
    if shutil.which("javac") is None:
        pytest.skip("no Java compiler is installed (17 or newer runs tests/interop/handshake)")
    assert said("java", "handshake/Handshake.java", str(world.folder)) == {case.name: case.java or case.believed for case in CASES}
