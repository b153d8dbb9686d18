"""`referral policy directory export|import`: convert the directory to and from Open Referral HSDS 3, for other tools."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from referral.cli import console
from referral.cli.policy import policy_folder
from referral.domain.policy import PolicyErrors, policy
from referral.domain.policy.directory import HOME
from referral.domain.policy.reading.directory import properties_of
from referral.domain.policy.reading.reader import Reader
from referral.errors import Rejected
from referral.hsds import reader, writer
from referral.hsds.agency_yaml import keeping_keys
from referral.runtime import settings
from referral.wire import policy_digest

LARGEST = 32 * 1024 * 1024
"""Bytes of a document: thirty times the need of 300 agencies."""
Folder = Annotated[Path | None, typer.Argument(help="The policy folder; by default the one of the checkout.")]


def export_command(
    folder: Folder = None, out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead of standard output.")] = None
) -> int:
    """Write every agency as HSDS 3 (tabular JSON): never an address, a person, or where a shelter is.

    Exit 0 written, 1 the policy is wrong, 2 it cannot be read.

    Example: referral policy directory export --out directory.json
    """
    where, files = _folder(folder)
    try:
        compiled = policy.compile(files)
    except PolicyErrors as error:
        return _wrong(error.errors, "nothing was exported")
    newest = max(path.stat().st_mtime for path in (where / "directory").glob("*.yaml"))
    updated = datetime.fromtimestamp(newest, UTC).isoformat(timespec="seconds")
    text = json.dumps(writer.exported(files, compiled, updated), ensure_ascii=False, indent=1) + "\n"
    if out is None:
        console.console.file.write(text)
    else:
        out.write_text(text, "utf-8")
        console.say(f"{len(compiled.agencies)} agencies and {len(compiled.services)} services in {out}")
    return 0


def import_command(
    file: Annotated[Path, typer.Argument(help="HSDS 3 as `export` writes it.")],
    into: Annotated[Path | None, typer.Option("--into", help="The policy folder to write into; without it nothing is written.")] = None,
) -> int:
    """Check a directory, print its changes to the policy, and with --into write it; agencies that it does not name stay.

    The whole document is refused if it holds an address, a person, a telephone number, or any other field that this policy does not store.

    Exit 0 good, 1 refused, 2 a file cannot be read.

    Example: referral policy directory import directory.json --into policy
    """
    where, files = _folder(into)
    read = reader.imported(_document(file), properties_of(Reader(files)).get(HOME, frozenset()))
    if read.faults:
        return _wrong((f"{file.name}: {fault}" for fault in read.faults), "nothing was written")
    new = {path: keeping_keys(data, files.get(path)) for path, data in read.files.items()}
    try:
        policy.compile({**files, **new})
    except PolicyErrors as error:
        return _wrong(error.errors, "nothing was written; the lines are those of the files that would have been")
    changed = {path: data for path, data in new.items() if files.get(path) != data}
    for path in sorted(changed):
        console.say(f"{'changed' if path in files else 'new'}  {path}")
    absent = sum(path.startswith("directory/") and path not in new for path in files)
    if into is not None:
        policy_folder.write(where, changed)
    done = "written" if into is not None else "would be written; say --into to write them"
    console.say(f"{len(changed)} of {len(new)} agencies {done}; {absent} that it does not name stay as they are")
    return 0


def _document(file: Path) -> object:
    if file.stat().st_size > LARGEST:
        raise Rejected("too-large", file.name, f"a document has at most {LARGEST} bytes")
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        where = f"{file.name}:{error.lineno}" if isinstance(error, json.JSONDecodeError) else file.name
        raise Rejected("no-json", where, "JSON in UTF-8 is expected, as `referral policy directory export` writes it") from None


def _folder(folder: Path | None) -> tuple[Path, dict[str, bytes]]:
    where = folder or settings.CHECKOUT / "policy"
    if not (where / "directory").is_dir():
        raise typer.BadParameter(f"{where} is no policy folder: it has no directory/")
    return where, policy_digest.read(where)


def _wrong(lines: Iterable[str], end: str) -> int:
    for line in lines:
        console.errors.print(line, soft_wrap=True, markup=False, highlight=False)
    console.errors.print(end)
    return 1
