"""Arguments that several commands of `referral ca` share, and files that may be standard input or output."""

from __future__ import annotations

import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from referral.ca import bundle, files

FOLDER = Annotated[Path, typer.Argument(metavar="CA", help="Folder of the authority.")]
ROOT_KEY = Annotated[Path | None, typer.Option("--root-key", help="File of the root's key, if it is not in the folder.")]
OUT = Annotated[Path | None, typer.Option("--out", help="File to write; by default standard output.")]
STANDARD = Path("-")


def now() -> datetime:
    """Return the time of this machine: an authority signs its own."""
    return datetime.fromtimestamp(time.time_ns() // 10**9, UTC)


def recorded(command: str, *about: str) -> AbstractContextManager[None]:
    """Record the block, a change of the authority, as an operator's act in the log, where this machine's environment names a database.

    An authority that is kept off the network reaches no log: its register alone has what it signed.
    """
    if not os.environ.get("REFERRAL_DATABASE"):
        return nullcontext()
    from referral.cli import administration  # imported here: an authority of its own needs no driver of a database
    from referral.runtime import settings

    return administration.begun(settings.load(), command, *about)


def incoming(path: Path) -> bytes:
    """Return the content of a file or of standard input."""
    return sys.stdin.buffer.read(bundle.LONGEST + 1) if path == STANDARD else path.read_bytes()


def outgoing(data: bytes, path: Path | None) -> None:
    """Write a file, or to standard output."""
    if path is not None and path != STANDARD:
        files.replace(path, data)
        return
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
