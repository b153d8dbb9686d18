"""Arguments that several commands of `referral ca` share, and files that may be standard input or output."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from referral.ca import bundle, files
from referral.cli.call import PARAMETERS, standard_input
from referral.runtime import settings, trust_file
from referral.wire.signed.trust import Trust

FOLDER = Annotated[Path, typer.Argument(metavar="CA", help="Folder of the authority.")]
ROOT_KEY = Annotated[Path | None, typer.Option("--root-key", help="File of the root's key, if it is not in the folder.")]
OUT = Annotated[Path | None, typer.Option("--out", help="File to write; by default standard output.")]
STANDARD = Path("-")
WORDS = "words"
"""File of an authority's folder: a line for each change that took two operators, where no log is in reach."""


def now() -> datetime:
    """Return the time of this machine: an authority signs its own."""
    return datetime.fromtimestamp(time.time_ns() // 10**9, UTC)


def recorded(command: str, *about: str, word: str = "") -> AbstractContextManager[None]:
    """Record the block, a change of the authority, as an operator's act in the log, where this machine's environment names a database.

    An authority that is kept off the network reaches no log: its register has what it signed, and its file WORDS on whose word.
    word: a second operator's, for a command that takes two.
    """
    own = settings.read()
    if not own.database:
        file = own.trust_file()
        return _kept_here(trust_file.at(file), own.operator_keys, command, about, word) if file else nullcontext()
    from referral.cli import administration  # imported here: an authority of its own needs no driver of a database

    return administration.begun(settings.load(), command, *about, word=word)


@contextmanager
def _kept_here(trust: Trust, keys: tuple[Path, ...], command: str, about: tuple[str, ...], word: str) -> Iterator[None]:
    from referral.cli import second_operator

    at, file = int(now().timestamp()), Path(PARAMETERS.get()["ca"]) / WORDS
    two = second_operator.pair(trust.operators, keys, command, about, by="", text=word, now=at)
    if two is not None and file.exists() and two.word.digest in file.read_text("ascii"):
        raise second_operator.used(two.by)
    if two is not None:  # first, so that no word signs twice: what breaks off after it needs another word
        file.touch(0o600)
        with file.open("a", encoding="ascii") as out:
            out.write(json.dumps({"at": at, "by": two.by, "command": command, "about": about, **two.told()}, sort_keys=True) + "\n")
            out.flush()
            os.fsync(out.fileno())
    yield


def incoming(path: Path) -> bytes:
    """Return the content of a file or of standard input."""
    return standard_input(bundle.LONGEST + 1) if path == STANDARD else path.read_bytes()


def outgoing(data: bytes, path: Path | None) -> None:
    """Write a file, or to standard output."""
    if path is not None and path != STANDARD:
        files.replace(path, data)
        return
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
