#!/usr/bin/env python3
"""Find the backups that a restore needs, and check each byte of them before anything is written. Standard library alone.

check_backup.py FOLDER [--until TIME]   print the backups to combine, the full one first; make FOLDER/wal readable under --stage
check_backup.py --one BACKUP            check one backup, and that FOLDER/wal beside it has the log from its begin to its end

Exit 0 good, 1 refused: one line for each fault says what it means. A manifest finds damage, not a forger, who writes it anew: the log's
witnesses find that (`referral audit verify`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

MANIFEST = "backup_manifest"
NAME = re.compile(r"\d{8}T\d{6}Z-(full|incremental)")
STAMP = "%Y%m%dT%H%M%SZ"
SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?")
BLOCK = 1 << 20
ARRIVES_S = 60.0
"""Longest wait (ours) for the end of a backup's own log, which the archive gets within a second where it runs."""


class Refused(Exception):
    """A backup that nobody may restore. The text says which file, and what that means."""


class Span(NamedTuple):
    """A piece of the write-ahead log on one timeline, from a position up to another one, in bytes."""

    timeline: int
    start: int
    end: int


def position(text: str) -> int:
    """Return the byte of a position such as 0/3000028."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def manifest(backup: Path) -> dict[str, object]:
    """Return what the backup's manifest says, once its own checksum has shown that it is whole."""
    try:
        data = (backup / MANIFEST).read_bytes()
    except OSError:
        raise Refused(f"{backup}: no {MANIFEST}; it was never complete") from None
    body, mark, last = data.rpartition(b'"Manifest-Checksum": "')
    if not mark or last.split(b'"')[0].decode("ascii", "replace") != hashlib.sha256(body).hexdigest():
        raise Refused(f"{backup / MANIFEST}: it is not what was written; nothing of this backup can be checked")
    found: dict[str, object] = json.loads(data)
    return found


def faults(backup: Path) -> Iterator[str]:
    """Yield one line for each file that is missing, not the one that was backed up, or not in the manifest."""
    named = set[str]()
    files = manifest(backup)["Files"]
    assert isinstance(files, list)
    for file in files:
        path = file["Path"] if "Path" in file else bytes.fromhex(file["Encoded-Path"]).decode()
        named.add(path)
        where = backup / path
        if not where.is_file():
            yield f"{where}: missing"
        elif file.get("Checksum-Algorithm") != "SHA256":
            yield f"{where}: has no SHA-256 in the manifest; backup.sh asks for one"
        elif where.stat().st_size != file["Size"] or digest(where) != file["Checksum"]:
            yield f"{where}: damaged; it is not what was backed up"
    for where in backup.rglob("*"):
        path = where.relative_to(backup)
        if where.is_file() and str(path) not in {*named, MANIFEST} and path.parts[0] != "pg_wal":
            yield f"{where}: not in the manifest; somebody put it there"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def chain(folder: Path, until: datetime | None) -> list[Path]:
    """Return the newest backup that had ended by then and those below it: the full one first. A name is the time of the end."""
    every = sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))
    ended = [path for path in every if until is None or path.name[:16] <= until.strftime(STAMP)]
    fulls = [number for number, path in enumerate(ended) if path.name.endswith("-full")]
    if not fulls:
        raise Refused(f"{folder}: no full backup had ended by then" if every else f"{folder}: there is no backup")
    return ended[fulls[-1] :]


def stage(wal: Path, at: Path) -> dict[tuple[int, int], Path]:
    """Link every segment under its own name, also the one that was still written, and return (timeline, first byte) → file."""
    found, size = dict[tuple[int, int], Path](), 0
    for path in sorted(wal.iterdir()) if wal.is_dir() else []:  # a complete file comes before its .partial
        parts = SEGMENT.fullmatch(path.name)
        if parts is None:
            if path.name.endswith(".history"):
                (at / path.name).symlink_to(path.resolve())
            continue
        size = size or path.stat().st_size
        timeline, log, number = (int(part, 16) for part in parts.groups()[:3])
        first = (log << 32) + number * size
        if (timeline, first) not in found:
            found[timeline, first] = path
            (at / path.name[:24]).symlink_to(path.resolve())
    return found


def path_of(wal: Path, timeline: int, start: int) -> list[Span]:
    """Return the pieces from a position up to the newest timeline, whose end is not known here (0)."""
    begun = [(timeline, start)]
    for newer in sorted(wal.glob("*.history")):
        number = int(newer.name[:8], 16)
        rows = [line.split() for line in newer.read_text().splitlines() if line[:1].isdigit()]
        if rows and number > timeline and int(rows[-1][0]) == begun[-1][0]:
            begun.append((number, position(rows[-1][1])))
    ends = [at for _, at in begun[1:]] + [0]
    return [Span(number, at, end) for (number, at), end in zip(begun, ends, strict=True)]


def missing(spans: list[Span], segments: dict[tuple[int, int], Path], size: int, needed: int) -> Iterator[str]:
    """Yield one line for each hole in the write-ahead log between the backup and the newest segment. needed: the backup's own last byte."""
    for span in spans:
        newest = max((first for timeline, first in segments if timeline == span.timeline), default=-1)
        last = span.end - 1 if span.end else max(newest, needed)
        for first in range(span.start - span.start % size, last + 1, size):
            if (span.timeline, first) not in segments:
                name = f"{span.timeline:08X}{first >> 32:08X}{(first & 0xFFFFFFFF) // size:08X}"
                yield f"wal/{name}: missing; nothing after it can be restored, unless the later files are taken away on purpose"


def readable(spans: list[Span], at: Path, newest: int, needed: int) -> Iterator[str]:
    """Yield one line for each piece in which a record is damaged. Of the newest segment, damage cannot be told from the log's end."""
    for span in spans:
        end = span.end or max(newest, needed)
        if end <= span.start:
            continue
        words = ("--quiet", "--path", str(at), "--timeline", str(span.timeline), "--start", lsn(span.start), "--end", lsn(end))
        done = subprocess.run(("pg_waldump", *words), capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"wal: damaged; {done.stderr.strip().splitlines()[-1]}"


def lsn(at: int) -> str:
    """Return a position as PostgreSQL writes it."""
    return f"{at >> 32:X}/{at & 0xFFFFFFFF:X}"


def own_log(backup: Path) -> list[Span]:
    """Return the piece of the log from a backup's begin to its end, as its manifest says it."""
    ranges = manifest(backup)["WAL-Ranges"]
    assert isinstance(ranges, list)
    return [Span(each["Timeline"], position(each["Start-LSN"]), position(each["End-LSN"])) for each in ranges]


def of_another_version(backup: Path) -> list[str]:
    """Return one line if the programs in PATH cannot read this backup's log."""
    made, bin = (backup / "PG_VERSION").read_text().strip(), "such as /usr/lib/postgresql/18/bin"
    try:
        said = subprocess.run(("pg_waldump", "--version"), capture_output=True, text=True, check=True).stdout
    except OSError:
        return [f"PATH has no pg_waldump: add the folder with the programs of PostgreSQL {made}, {bin}"]
    ours = re.search(r"\d+", said)
    if ours and ours[0] == made:
        return []
    return [f"{backup} is of PostgreSQL {made}, PATH has the programs of {ours and ours[0]}: put the right ones first, {bin}"]


def unlogged(spans: list[Span], needed: int, wal: Path, at: Path) -> list[str]:
    """Return one line for each fault of these pieces of the log, which are made readable under `at`. needed: the backup's own last byte."""
    segments = stage(wal, at)
    size = next((path.stat().st_size for path in segments.values()), 0)
    if not size:
        return [f"{wal}: there is no write-ahead log; a backup without it is no database"]
    newest = max((first for timeline, first in segments if timeline == spans[-1].timeline), default=0)
    return list(missing(spans, segments, size, needed)) or list(readable(spans, at, newest, needed))


def arrived(backup: Path, wal: Path) -> list[str]:
    """Wait until the archive has the log that a new backup needs. Return the faults that are left."""
    spans, until = own_log(backup), time.monotonic() + ARRIVES_S
    while True:
        with tempfile.TemporaryDirectory() as at:
            found = unlogged(spans, spans[-1].end, wal, Path(at))
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.5)


def checked(folder: Path, until: datetime | None, at: Path) -> list[Path]:
    """Return the backups to combine, checked, with the write-ahead log behind them under `at`. Raises Refused."""
    backups, wal = chain(folder, until), folder / "wal"
    found = [fault for backup in backups for fault in faults(backup)]
    own = own_log(backups[-1])
    found = found or of_another_version(backups[-1]) or unlogged(path_of(wal, own[0].timeline, own[0].start), own[-1].end, wal, at)
    if found:
        raise Refused("\n".join(found))
    return backups


def moment(text: str) -> datetime:
    """Return a time that says of which zone it is."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("it has no time zone: write 2026-11-29T02:03:04Z")
    return at.astimezone(UTC)


def main() -> int:
    reader = argparse.ArgumentParser(description="Check backups, and print those that a restore combines.")
    reader.add_argument("folder", type=Path)
    reader.add_argument("--one", action="store_true", help="the folder is one backup")
    reader.add_argument("--until", type=moment, help="restore to this time")
    reader.add_argument("--stage", type=Path, help="an empty folder for links to the write-ahead log")
    asked = reader.parse_args()
    try:
        if asked.one:
            one, wal = asked.folder, asked.folder.parent / "wal"
            if found := list(faults(one)) or of_another_version(one) or arrived(one, wal):
                raise Refused("\n".join(found))
        else:
            for backup in checked(asked.folder, asked.until, asked.stage):
                print(backup)
    except Refused as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
