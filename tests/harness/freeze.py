"""Freeze the engine of this checkout as `engines/N.zip`: `python -m tests.harness.freeze`. Do it before a change of decisions, once.

The file holds the sources that `EngineSession` imports of ours, found by their imports, with fixed times and sorted names, not compressed:
the same sources always make the same bytes. Beside it, `tests/stories/released/N.zip` holds the policy and the stories of the release, so
that this version can tell them for ever (tests/stories/test_earlier_rules.py).
"""

from __future__ import annotations

import ast
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from referral.domain.policy import ENGINE

ROOT = Path(__file__).parents[2]
ENTRANCE = "referral.wire.engine_session"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can tell."""


def sources(entrance: str = ENTRANCE) -> list[Path]:
    """Return the files of ours that a module needs, itself included, sorted: by import statements wherever they stand."""
    found, left = set[Path](), {entrance}
    while left:
        name = left.pop()
        for path in _files(name):
            if path not in found:
                found.add(path)
                left |= set(_imports(path))
    return sorted(found)


def _files(name: str) -> Iterator[Path]:
    """Yield the file of a module, and those of the packages around it."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:length])
        if (package := place / "__init__.py").is_file():
            yield package
        elif (module := place.with_suffix(".py")).is_file():
            yield module


def _imports(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a file imports; of `from a import b` both a and a.b, for b may be a module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level and node.module, f"{path}: an import names its module in full"
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in ("referral", "services"))


def stories() -> list[Path]:
    """Return the files of the policy and of the stories that a version tells; texts decide nothing and are left out."""
    folders = ("policy", "tests/stories/told", "tests/stories/invented", "tests/stories/broken")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.yaml"))


def frozen(paths: list[Path], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return the zip of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as file:
        for path in paths:
            info = zipfile.ZipInfo(path.relative_to(ROOT).as_posix(), LONG_AGO)
            info.create_system, info.external_attr, info.compress_type = 3, 0o644 << 16, method
            file.writestr(info, path.read_bytes())
    return made.getvalue()


if __name__ == "__main__":
    target = ROOT / "engines" / f"{ENGINE}.zip"
    name = target.relative_to(ROOT)
    if target.exists():
        sys.exit(f"{name} is there: a frozen engine never changes. If nothing was released with it yet, delete it first.")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(data := frozen(sources()))
    released = ROOT / "tests" / "stories" / "released" / f"{ENGINE}.zip"
    released.parent.mkdir(exist_ok=True)
    released.write_bytes(frozen(stories(), zipfile.ZIP_DEFLATED))
    print(f"{name} is written. Add to policy/engines.yaml:\n  {ENGINE}: {hashlib.sha256(data).hexdigest()}")
