"""A damaged backup is found by name before a restore writes anything: the program that deploy/postgres/restore.sh begins with."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "deploy" / "postgres" / "check_backup.py"
spec = importlib.util.spec_from_file_location("check_backup", SCRIPT)
assert spec and spec.loader
check = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check)
SIZE = 1024
"""Bytes of a made-up segment."""
SEALED = b"age-encryption.org/v1\n"


def backup(folder: Path, name: str = "20261129T020000Z-full") -> Path:
    """A backup of two files, as pg_basebackup describes it."""
    made = folder / name
    files = {"base/1/2": b"rows", "PG_VERSION": b"18\n"}
    for path, data in files.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_bytes(data)
    (made / "pg_wal").mkdir()
    rows = [
        {"Path": path, "Size": len(data), "Checksum-Algorithm": "SHA256", "Checksum": hashlib.sha256(data).hexdigest()}
        for path, data in files.items()
    ]
    rows[0] = {**rows[0], "Encoded-Path": b"base/1/2".hex()}
    del rows[0]["Path"]
    ranges = [{"Timeline": 1, "Start-LSN": "0/820", "End-LSN": "0/900"}]
    body = json.dumps({"PostgreSQL-Backup-Manifest-Version": 2, "Files": rows, "WAL-Ranges": ranges})[:-1].encode() + b",\n"
    sealed = body + b'"Manifest-Checksum": "' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'
    (made / "backup_manifest").write_bytes(sealed)
    return made


def wal(folder: Path, *names: str) -> Path:
    made = folder / "wal"
    made.mkdir(exist_ok=True)
    for name in names:
        (made / name).write_bytes(SEALED + bytes(SIZE))
    return made


def segment(number: int, timeline: int = 1, more: str = "") -> str:
    return f"{timeline:08X}00000000{number:08X}{more}.age"


def tar(made: Path) -> io.BytesIO:
    """A backup as pg_basebackup prints it."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as members:
        for path in sorted(made.rglob("*")):
            members.add(path, str(path.relative_to(made)), recursive=False)
    return io.BytesIO(written.getvalue())


def found(made: Path) -> list[str]:
    """Take a backup, and return the faults."""
    return list(check.faults(made, check.unpack(tar(made), made, check.CLEAR)))


def test_a_whole_backup_has_no_fault(tmp_path: Path) -> None:
    made = backup(tmp_path)
    (made / "pg_wal" / segment(2)).write_bytes(b"log")
    assert found(made) == []


def test_a_backup_passes_through_the_check_as_it_is_and_is_written_as_it_was(tmp_path: Path) -> None:
    made, new, out = backup(tmp_path), tmp_path / "new", io.BytesIO()
    (made / "pg_tblspc").mkdir()
    new.mkdir()
    check.unpack(check.Passed(tar(made), out), new, check.CLEAR)
    assert out.getvalue() == tar(made).getvalue() and [path.name for path in new.iterdir()] == ["backup_manifest"]
    check.unpack(tar(made), new, None)
    for path in made.rglob("*"):
        copy = new / path.relative_to(made)
        assert copy.is_dir() if path.is_dir() else copy.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "base/../../outside"])
def test_no_file_of_a_backup_lies_elsewhere(tmp_path: Path, name: str) -> None:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as members:
        members.addfile(tarfile.TarInfo(name))
    with pytest.raises(check.Refused, match="somebody has made this backup"):
        check.unpack(io.BytesIO(written.getvalue()), tmp_path, None)


def test_a_link_in_a_backup_is_in_no_manifest(tmp_path: Path) -> None:
    made = backup(tmp_path)
    (made / "base" / "link").symlink_to("/etc/passwd")
    assert [line.partition(": ")[2] for line in found(made)] == ["not in the manifest; somebody put it there"]


def test_what_is_not_encrypted_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made = backup(tmp_path)
    wal(tmp_path, segment(2))
    for place in sorted(made.rglob("*"), reverse=True):
        if place.name not in check.CLEAR:
            place.rmdir() if place.is_dir() else place.unlink()
    (made / check.BASE).write_bytes(SEALED + b"whatever")
    assert list(check.unsealed(made, tmp_path / "wal")) == []
    for place in (made / check.BASE, tmp_path / "wal" / segment(3), tmp_path / "wal" / "000000010000000000000004.partial"):
        before = place.read_bytes() if place.exists() else None
        place.write_bytes(b"\0of a release before")
        monkeypatch.setattr("sys.argv", ["check_backup.py", "--one", str(made)])
        assert check.main() == 1
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"{place}: not encrypted")
        with pytest.raises(check.Refused, match="not encrypted"):
            check.checked(tmp_path, None, tmp_path / "stage", tmp_path / "key")
        place.unlink() if before is None else place.write_bytes(before)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda made: (made / "base/1/2").write_bytes(b"rowz"), "base/1/2: damaged"),
        (lambda made: (made / "PG_VERSION").write_bytes(b"18"), "PG_VERSION: damaged"),
        (lambda made: (made / "PG_VERSION").unlink(), "PG_VERSION: missing"),
        (lambda made: (made / "base/3").write_bytes(b""), "base/3: not in the manifest"),
    ],
)
def test_each_damaged_file_is_named(tmp_path: Path, damage: Callable[[Path], object], said: str) -> None:
    made = backup(tmp_path)
    damage(made)
    (line,) = found(made)
    assert line.startswith(f"{made}/{said}")


@pytest.mark.parametrize("change", [(b"Size", b"size"), (b"Manifest-Checksum", b"manifest-checksum"), (b'"}', b'0"}')])
def test_a_changed_manifest_proves_nothing(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    made = backup(tmp_path)
    path = made / "backup_manifest"
    path.write_bytes(path.read_bytes().replace(*change))
    with pytest.raises(check.Refused, match="not what was written"):
        found(made)
    path.unlink()
    with pytest.raises(check.Refused, match="never complete"):
        found(made)


def test_a_restore_combines_the_newest_full_backup_with_what_was_built_on_it_by_then(tmp_path: Path) -> None:
    names = ["01T020000Z-full", "02T020000Z-incremental", "08T020000Z-full", "09T020000Z-incremental", "10T020000Z-incremental"]
    for name in [*(f"202611{name}" for name in names), "new.part", "wal"]:
        (tmp_path / name).mkdir()

    def chain(*until: int) -> list[str]:
        chained = check.chain(tmp_path, datetime(2026, 11, *until, tzinfo=UTC) if until else None)
        return [path.name[6:] for path in chained]

    assert chain() == names[2:]
    assert chain(9, 12) == names[2:4]
    assert chain(8, 2, 0, 0) == names[2:3]
    assert chain(8, 1, 59, 59) == names[:2]
    with pytest.raises(check.Refused, match="no full backup had ended by then"):
        chain(1, 1)


def holes(folder: Path, needed: int = 0x900) -> list[str]:
    segments, size = check.segments(folder / "wal")
    assert size == SIZE
    return [line.split(":")[0] + ".age" for line in check.missing(check.path_of(folder, 1, 0x820), segments, size, needed)]


def test_the_log_has_no_hole_up_to_its_newest_segment(tmp_path: Path) -> None:
    wal(tmp_path, segment(2), segment(3), segment(4, more=".partial"))
    assert holes(tmp_path) == []


@pytest.mark.parametrize(
    ("there", "missing"), [((3, 4), [2]), ((2, 4), [3]), ((2, 5), [3, 4]), ((1,), [2])], ids=["first", "middle", "two", "all"]
)
def test_a_missing_segment_is_named(tmp_path: Path, there: tuple[int, ...], missing: list[int]) -> None:
    wal(tmp_path, *map(segment, there))
    assert holes(tmp_path) == [f"wal/{segment(number)}" for number in missing]


def test_a_backup_whose_own_log_the_archive_has_not_got_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "ARRIVES_S", 0.0)
    made = backup(tmp_path)
    log = wal(tmp_path)
    assert check.arrived(made, log) == [f"{log}: there is no write-ahead log; a backup without it is no database"]
    wal(tmp_path, segment(1))
    (said,) = check.arrived(made, log)
    assert said.startswith(f"wal/{segment(2).removesuffix('.age')}: missing")


def test_programs_of_another_version_or_none_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs, made = tmp_path / "bin", backup(tmp_path)
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    assert "PATH has no pg_waldump" in check.of_another_version(made)[0]
    for version, said in (("18.4", []), ("15.18 (Debian 15.18-0+deb12u1)", ["PATH has the programs of 15"])):
        (programs / "pg_waldump").write_text(f"#!/bin/sh\necho 'pg_waldump (PostgreSQL) {version}'\n")
        (programs / "pg_waldump").chmod(0o755)
        lines = check.of_another_version(made)
        assert len(lines) == len(said) and all(words in line for words, line in zip(said, lines, strict=True))


def test_the_log_goes_on_on_the_timeline_of_a_standby_that_was_promoted(tmp_path: Path) -> None:
    made = wal(tmp_path, segment(2), segment(3, more=".partial"), segment(3, 2), segment(4, 2))
    (tmp_path / "00000002.history").write_text("1\t0/D00\tno recovery target specified\n")
    assert holes(tmp_path) == []
    assert check.path_of(tmp_path, 1, 0x820) == [(1, 0x820, 0xD00), (2, 0xD00, 0)]
    (made / segment(3, more=".partial")).unlink()
    assert holes(tmp_path) == [f"wal/{segment(3)}"]


def test_a_time_says_of_which_zone_it_is() -> None:
    assert check.moment("2026-11-29T03:00:00+01:00") == datetime(2026, 11, 29, 2, tzinfo=UTC)
    with pytest.raises(check.argparse.ArgumentTypeError, match="no time zone"):
        check.moment("2026-11-29T03:00:00")
