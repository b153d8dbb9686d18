"""Judge our exports by two programs written from docs/log-format.md alone: a verifier in Go, and one in TypeScript that decides again.

Each has its own tests, which read our vectors and exports, change them, and want the findings that we say. Where the page does not suffice
they say so (GAPS.md beside each). They are judges: nobody mends them by our code, only by the page.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.vectors import __main__ as vectors
from tests.vectors.form import FOLDER

HERE = Path(__file__).parent
pytestmark = pytest.mark.xdist_group("judges")
"""One worker writes the exports and fetches the modules."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a judge: where our vectors and exports are."""
    folder = tmp_path_factory.mktemp("exports")
    for name, write in vectors.ARCHIVES.items():
        write(folder / name)
    return {**os.environ, "JUDGE_VECTORS": str(FOLDER), "JUDGE_EXPORTS": str(folder)}


def run(*words: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True)


def test_a_verifier_in_go_agrees(told: dict[str, str]) -> None:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed (1.26 or newer builds tests/interop/verifier)")
    fetched = run("go", "mod", "download", cwd=HERE / "verifier", env=told)
    if fetched.returncode:
        pytest.skip(f"Go cannot fetch the modules of tests/interop/verifier: {fetched.stderr.strip()[-300:]}")
    done = run("go", "test", "-mod=readonly", "./...", cwd=HERE / "verifier", env=told)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_a_program_in_typescript_decides_alike(told: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("Node is not installed (20 or newer runs tests/interop/redecider)")
    there = shutil.copytree(HERE / "redecider", tmp_path / "redecider", ignore=shutil.ignore_patterns("node_modules", "dist"))
    fetched = run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", cwd=there, env=told)
    if fetched.returncode:
        pytest.skip(f"npm cannot fetch the packages of tests/interop/redecider: {fetched.stderr.strip()[-300:]}")
    done = run("npm", "test", "--silent", cwd=there, env=told)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
