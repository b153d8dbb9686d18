"""Every byte of a small export, flipped once: `verify` never says good."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from msgspec import structs
from rich.progress import Progress

from referral.cli.audit import source
from referral.cli.audit.source import Folder
from referral.domain.events import SectionDisclosed
from referral.errors import Rejected
from referral.proof.archive import Archive
from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import Kind
from referral.wire.schema.load import fingerprint_of
from services.audit.ingest import Known, Says, ingest
from tests.harness.audit_archive import Rows, auditor_key, exported
from tests.harness.audit_log import START, Log, _id
from tests.harness.made_log import policy

SMALL = b'"string"'
SHARES = 8
"""Tests that it is split into, for several processes."""
READ = SectionDisclosed(agency="csw-prizren", section="contact", basis="desk", at=START)


def small() -> Log:
    """Two cases, and what audit itself says; no policy bundle, which alone has 280,000 bytes, and so no decision."""
    log = Log()
    log.entries = ingest([], Known(), [Says(Kind.KEYS, policy()), Says(Kind.SCHEMA, SMALL, "small.v1", fingerprint_of(SMALL))]).entries
    log._known = Known(size=len(log.entries))
    for number, name in enumerate(("one", "two", "one")):
        log.say(_id(f"case {name}"), structs.replace(READ, at=START + number), _id(f"event {number}"), _id("cause"), "intake")
    return log


class Flipped:
    """A folder in memory, one byte of which is another."""

    def __init__(self, files: dict[str, bytes], path: str, at: int) -> None:
        data = files[path]
        self.files = {**files, path: data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]}

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)


def says(there: Archive, key: Path) -> int:
    """The exit code of `verify`."""
    try:
        keys = source.lent_keys(there, key)
    except (Rejected, typer.BadParameter):
        return 1
    return judge(there, VerifyOptions(keys=keys), Progress(disable=True)).report.exit_code()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Path]:
    place, log = tmp_path_factory.mktemp("small"), small()
    folder = exported(place / "log", Rows(log.entries), log.keys)
    assert says(Folder(folder), auditor_key(place)) == 0
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}, place / "auditor.key"


@pytest.mark.parametrize("share", range(SHARES))
def test_every_byte_of_every_file_counts(files: tuple[dict[str, bytes], Path], share: int) -> None:
    held, key = files
    assert len(held) == 7, sorted(held)
    places = [(path, at) for path, data in held.items() for at in range(len(data))][share::SHARES]
    assert [place for place in places if says(Flipped(held, *place), key) == 0] == []


def test_no_file_may_be_missing(files: tuple[dict[str, bytes], Path]) -> None:
    held, key = files
    for path in held:
        there = Flipped(held, path, 0)
        del there.files[path]
        assert says(there, key) or path.startswith("schemas/"), path
