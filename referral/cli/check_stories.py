"""Counterexamples as files: a folder of stories, and beside them the files that the policy has otherwise than the shipped one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from referral.cli.check_run import Result
from referral.domain.reach_story import text
from referral.errors import Rejected
from referral.runtime import settings
from referral.wire import bundle

POLICIES = "policies"


def write(folder: Path, result: Result, files: Mapping[str, bytes]) -> list[Path]:
    """One story for each thing that is wrong, where a way shows it. Rejected: the folder cannot be made."""
    otherwise = differing(files, bundle.read(settings.CHECKOUT / "policy"))
    name = f"{POLICIES}/{bundle.digest(otherwise)[:8]}" if otherwise else ""
    told = [found for found in result.found.values() if found.story is not None]
    if not told:
        return []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in otherwise.items():
            target = folder / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    except OSError as error:
        raise Rejected("no-folder", str(folder), error.strerror or str(error)) from None
    written: list[Path] = []
    for found in told:
        assert found.story is not None
        one = found.finding
        stem = "-".join(filter(None, (one.kind, one.pathway, one.step)))
        same = sum(1 for path in written if path.stem.startswith(stem))
        written.append(folder / f"{stem}{f'-{same + 1}' if same else ''}.yaml")
        written[-1].write_text(text(found.story, name), "utf-8")
    return written


def differing(files: Mapping[str, bytes], shipped: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that are new or otherwise; one that is not there any more is empty."""
    found = {path: data for path, data in files.items() if shipped.get(path) != data}
    return {**found, **{path: b"" for path in shipped if path not in files}}
