"""Read and check a policy folder, for every command that is given one. It loads no database, so that such a command starts at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from referral.domain.authority import reading
from referral.domain.policy import Policy, PolicyErrors, policy, questions
from referral.domain.policy.reading.questions import FILE
from referral.errors import Malformed, Rejected
from referral.proof import engines
from referral.runtime import authority
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest

LIMIT = 7 * 1024 * 1024
"""Bytes. A bundle is one record of referral-policy, which accepts 8 MiB (topics.yaml)."""

Folder = Annotated[Path | None, typer.Argument(help="The policy folder; by default the one of the checkout.")]


def read(folder: Path) -> dict[str, bytes]:
    """Read the files of a policy folder. Rejected: it does not exist, is empty, or is too large."""
    if not folder.is_dir():
        raise Rejected("no-folder", str(folder), "name a folder with pathways/, directory/ and calendars/")
    files = policy_digest.read(folder)
    if not files:
        raise Rejected("empty", str(folder), "it holds no .yaml file")
    if sum(map(len, files.values())) > LIMIT:
        largest = max(files, key=lambda path: len(files[path]))
        raise Rejected("too-large", str(folder / largest), f"it has {len(files[largest])} bytes; a whole policy has at most {LIMIT}")
    return files


def write(folder: Path, changed: Mapping[str, bytes]) -> None:
    """Write each file atomically. Rejected: the folder cannot be written."""
    for path, data in changed.items():
        new = folder / f"{path}.new"
        try:
            new.write_bytes(data)
            new.replace(folder / path)
        except OSError as error:
            raise Rejected("not-written", str(folder / path), f"it cannot be written: {error.strerror}") from None


def check(files: Mapping[str, bytes]) -> tuple[Policy | None, tuple[str, ...]]:
    """Return the compiled policy, or every error in its files, one line each: file:line: the error, and the allowed values."""
    try:
        compiled = policy.compile(files)
    except PolicyErrors as error:
        return None, error.errors
    short = missing(compiled, files)
    return (None, short) if short else (compiled, ())


def missing(found: Policy, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the errors of what a policy needs beside its procedures before it may come into force: guidance, the table of rights, and the
    frozen engines."""
    return (*_unguided(found), *_rights(files), *_engines(files), *_unasked(found, files))


def _unasked(found: Policy, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return an error for each trait and flag that a procedure tests and no page can set: for whoever a person refers it would never hold.
    A bundle that was stored before there were questions is still read without them."""
    errors = []
    for pathway, where, mark in questions.unsettable(found.questions, found.current):
        path, word = f"pathways/{pathway}.yaml", mark.partition("=")[2]
        lines = files[path].decode().splitlines() if path in files else []
        start = next((n for n, line in enumerate(lines) if re.match(rf"\s*-?\s*({{?id: )?{re.escape(where)}\b", line)), 0)
        at = next((n for n, line in enumerate(lines[start:], start + 1) if re.search(rf"\b{re.escape(word)}\b", line)), start + 1)
        errors.append(
            f"{path}:{at}:1: {where} tests {mark}, and no page can set it: a person who refers could never say so; "
            f"ask it in {FILE}, or name it with its sentence under words of this procedure"
        )
    return tuple(errors)


def _unguided(found: Policy) -> tuple[str, ...]:
    """Return the error of a policy without any guidance. A bundle that was stored before there was guidance is still read without it."""
    if found.guidance:
        return ()
    return ("guidance/:0:0: no text is here; each step needs guidance: add guidance/<code>.<language>.md, and guidance/sources.yaml",)


def _rights(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the errors of a table of rights that is missing, is wrong, or is not the one that this program has: the log would say
    that other rights hold. A bundle that was stored before there was a table is still read without it."""
    if policy.RIGHTS not in files:
        return (f"{policy.RIGHTS}:0:0: the file is missing; copy the one of this version: it says who may do what",)
    try:
        found = reading.read(files[policy.RIGHTS])
    except PolicyErrors as wrong:
        return wrong.errors
    if found == authority.declared():
        return ()
    return (f"{policy.RIGHTS}:0:0: it declares other rights than this program has; rights change with the program: copy its file",)


def _engines(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the error of a policy that does not name the frozen engines of this program: auditors run none that its signers did not sign.
    A bundle that was stored before there were engines is still read without it."""
    try:
        if engines.read(files[engines.FILE]) == engines.read((CHECKOUT / "policy" / engines.FILE).read_bytes()):
            return ()
    except (KeyError, Malformed):
        pass
    return (f"{engines.FILE}:0:0: it does not name the frozen engines of this program; they change with the program: copy its file",)


def read_argument(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder that a command was given. An unreadable folder is a usage error."""
    try:
        return read(folder)
    except Rejected as error:
        raise typer.BadParameter(str(error)) from None
