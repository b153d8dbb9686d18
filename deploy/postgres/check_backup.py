#!/usr/bin/env python3
"""Find the backups that a restore needs, and check each byte of them before anything is written. Standard library alone, and `age`.

check_backup.py FOLDER --stage PLACE --key KEY [--until TIME]
    decrypt the backups to combine, and the log behind them, under PLACE; print the backups' folders there, the full one first
check_backup.py --take BACKUP   check a backup as it comes: from standard input, a tar of pg_basebackup, to standard output
check_backup.py --one BACKUP    check that a backup is encrypted, and that FOLDER/wal beside it has the log from its begin to its end

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
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple, cast

MANIFEST, LABEL, BASE = "backup_manifest", "backup_label", "base.tar.age"
CLEAR = frozenset({MANIFEST, LABEL})
"""Files of a backup that lie beside it in clear: the next backup builds on the first, and the second says where the log begins."""
SEALED = b"age-encryption.org/v1\n"
"""First line of a file that is encrypted (C2SP age)."""
NAME = re.compile(r"\d{8}T\d{6}Z-(full|incremental)")
STAMP = "%Y%m%dT%H%M%SZ"
SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?\.age")
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


def faults(backup: Path, found: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    """Yield one line for each file that is missing, not the one that was backed up, or not in the manifest. found: path → size, SHA-256."""
    named = set[str]()
    files = manifest(backup)["Files"]
    assert isinstance(files, list)
    for file in files:
        path = file["Path"] if "Path" in file else bytes.fromhex(file["Encoded-Path"]).decode()
        named.add(path)
        where = backup / path
        if path not in found:
            yield f"{where}: missing"
        elif file.get("Checksum-Algorithm") != "SHA256":
            yield f"{where}: has no SHA-256 in the manifest; backup.sh asks for one"
        elif found[path] != (file["Size"], file["Checksum"]):
            yield f"{where}: damaged; it is not what was backed up"
    for path in found:
        if path not in {*named, MANIFEST} and not path.startswith("pg_wal/"):
            yield f"{backup / path}: not in the manifest; somebody put it there"


def unpack(tar: IO[bytes], at: Path, wanted: frozenset[str] | None) -> dict[str, tuple[int, str]]:
    """Write the wanted files of a tar under a folder, None: all of them; return path → size, SHA-256 of each. Raises Refused."""
    found = dict[str, tuple[int, str]]()
    with tarfile.open(fileobj=tar, mode="r|", bufsize=BLOCK) as members:
        for member in members:
            path = Path(member.name)
            if path.is_absolute() or ".." in path.parts:
                raise Refused(f"{at}: a file of it would lie elsewhere; somebody has made this backup")
            data = members.extractfile(member) if member.isfile() else None
            if data is not None:
                place = at / path if wanted is None or member.name in wanted else Path("/dev/null")
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with place.open("wb") as file:
                    found[str(path)] = (member.size, digest(data, file))
            elif not member.isdir():
                found[str(path)] = (member.size, "")  # a link: never in a manifest
            elif wanted is None:
                (at / path).mkdir(mode=0o700, parents=True, exist_ok=True)
    while tar.read(BLOCK):  # zeros behind the last file
        pass
    return found


def digest(data: IO[bytes], copy: IO[bytes]) -> str:
    """Copy what can be read, and return its SHA-256."""
    found = hashlib.sha256()
    while block := data.read(BLOCK):
        found.update(block)
        copy.write(block)
    return found.hexdigest()


class Passed:
    """A stream whose bytes are passed on to another one as they are read."""

    def __init__(self, source: IO[bytes], sink: IO[bytes]) -> None:
        self._source, self._sink = source, sink

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._sink.write(data)
        return data


def unsealed(*places: Path) -> Iterator[str]:
    """Yield one line for each file below these folders that is not encrypted, and should be."""
    for path in sorted(path for place in places for path in place.rglob("*") if path.is_file() and path.name not in CLEAR):
        with path.open("rb") as file:
            if file.read(len(SEALED)) != SEALED:
                yield f"{path}: not encrypted; it is of a release before, whose restore.sh reads it, or somebody put it there"


@contextmanager
def opened(path: Path, key: Path) -> Iterator[IO[bytes]]:
    """Yield what an encrypted file holds. Refused at the end: it is damaged, or encrypted to others than the key's owner."""
    words = ("age", "--decrypt", "--identity", str(key), str(path))
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        plain, said = cast(IO[bytes], process.stdout), cast(IO[bytes], process.stderr)
        torn = False
        try:
            yield plain
        except tarfile.TarError:
            torn = True
        plain.close()
        why = said.read().decode("utf-8", "replace").partition("\n")[0]
    if "no identity matched" in why:
        raise Refused(f"{path}: {key} does not open it; take the key of one of the two operators to whom it is encrypted")
    if str(key) in why:
        raise Refused(f"{key}: no key that opens a backup; take the file that age-keygen made ({why})")
    if torn or process.returncode:
        raise Refused(f"{path}: damaged; it is not what was written")


def chain(folder: Path, until: datetime | None) -> list[Path]:
    """Return the newest backup that had ended by then and those below it: the full one first. A name is the time of the end."""
    every = sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))
    ended = [path for path in every if until is None or path.name[:16] <= until.strftime(STAMP)]
    fulls = [number for number, path in enumerate(ended) if path.name.endswith("-full")]
    if not fulls:
        raise Refused(f"{folder}: no full backup had ended by then" if every else f"{folder}: there is no backup")
    return ended[fulls[-1] :]


def segments(wal: Path) -> tuple[dict[tuple[int, int], Path], int]:
    """Return (timeline, first byte) → encrypted file of each segment, also of the one that was still written, and the size of all."""
    found, size = dict[tuple[int, int], Path](), 0
    for path in sorted(wal.glob("*.age")):  # a complete file comes before its .partial
        if (parts := SEGMENT.fullmatch(path.name)) is None:
            continue
        size = size or 1 << (path.stat().st_size.bit_length() - 1)  # a power of two, and less than as much again for the encryption
        timeline, log, number = (int(part, 16) for part in parts.groups()[:3])
        found.setdefault((timeline, (log << 32) + number * size), path)
    return found, size


def stage(wal: Path, at: Path, key: Path, start: int) -> None:
    """Decrypt each segment from the one with this byte on, under its own name, and each file that says where a timeline began."""
    found, size = segments(wal)
    for path in (*wal.glob("*.history.age"), *(path for (_, first), path in found.items() if first + size > start)):
        with opened(path, key) as data, (at / path.name.removesuffix(".age").removesuffix(".partial")).open("wb") as file:
            digest(data, file)


def path_of(wal: Path, timeline: int, start: int) -> list[Span]:
    """Return the pieces from a position up to the newest timeline, whose end is not known here (0). wal: where the log is decrypted."""
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


def unlogged(spans: list[Span], needed: int, wal: Path) -> list[str]:
    """Return one line for each hole in these pieces of the log. needed: the backup's own last byte."""
    found, size = segments(wal)
    if not found:
        return [f"{wal}: there is no write-ahead log; a backup without it is no database"]
    return list(missing(spans, found, size, needed))


def arrived(backup: Path, wal: Path) -> list[str]:
    """Wait until the archive has the log that a new backup needs. Return the faults that are left."""
    spans, until = own_log(backup), time.monotonic() + ARRIVES_S
    while (found := unlogged(spans, spans[-1].end, wal)) and time.monotonic() < until:
        time.sleep(0.5)
    return found


def checked(folder: Path, until: datetime | None, at: Path, key: Path) -> list[Path]:
    """Return the backups to combine, decrypted and checked, with the write-ahead log behind them in `wal` under `at`. Raises Refused."""
    backups, wal = chain(folder, until), folder / "wal"
    found, ready = list(unsealed(wal, *backups)), list[Path]()
    for backup in [] if found else backups:
        ready.append(at / backup.name)
        ready[-1].mkdir(mode=0o700)
        with opened(backup / BASE, key) as tar:
            there = unpack(tar, ready[-1], None)
        found += faults(ready[-1], there)
    if not found and not (found := of_another_version(ready[-1])):
        own, log = own_log(ready[-1]), at / "wal"
        log.mkdir()
        stage(wal, log, key, own[0].start)
        spans = path_of(log, own[0].timeline, own[0].start)
        newest = max((first for timeline, first in segments(wal)[0] if timeline == spans[-1].timeline), default=0)
        found = unlogged(spans, own[-1].end, wal) or list(readable(spans, log, newest, own[-1].end))
    if found:
        raise Refused("\n".join(fault.replace(f"{at}/", f"{folder}/") for fault in found))
    return ready


def moment(text: str) -> datetime:
    """Return a time that says of which zone it is."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("it has no time zone: write 2026-11-29T02:03:04Z")
    return at.astimezone(UTC)


def main() -> int:
    reader = argparse.ArgumentParser(description="Check backups, and print those that a restore combines.")
    reader.add_argument("folder", type=Path)
    reader.add_argument("--take", action="store_true", help="the folder is a backup that is being taken: its tar is in standard input")
    reader.add_argument("--one", action="store_true", help="the folder is one backup")
    reader.add_argument("--until", type=moment, help="restore to this time")
    reader.add_argument("--stage", type=Path, help="an empty folder for what is decrypted")
    reader.add_argument("--key", type=Path, help="the file with the key of one of those to whom the backups are encrypted")
    asked = reader.parse_args()
    one = asked.folder
    try:
        if asked.take:
            passed = cast(IO[bytes], Passed(sys.stdin.buffer, sys.stdout.buffer))
            found = list(faults(one, unpack(passed, one, CLEAR)))
        elif asked.one:
            found = list(unsealed(one, one.parent / "wal")) or arrived(one, one.parent / "wal")
        else:
            found = []
            for backup in checked(asked.folder, asked.until, asked.stage, asked.key):
                print(backup)
    except Refused as why:
        found = [str(why)]
    except tarfile.TarError:
        found = [f"{one}: what came is no whole backup"]
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
