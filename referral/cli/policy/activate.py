"""`referral policy activate`: store a policy folder as the next bundle; and read and check a folder for all other commands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct
from sqlalchemy import text

from referral.cli import console
from referral.cli.policy.calendar import run_out
from referral.domain.policy import Policy, PolicyErrors, policy
from referral.errors import Rejected, Unavailable
from referral.runtime import settings
from referral.runtime.postgres import clock, database
from referral.runtime.settings import Settings
from referral.wire import policy_digest

LIMIT = 7 * 1024 * 1024
"""Bytes. A bundle is one record of referral-policy, which accepts 8 MiB (topics.yaml)."""

LOCK = text("LOCK TABLE routing.policy IN SHARE ROW EXCLUSIVE MODE")
ALL = text("SELECT number, digest, files, confirmed FROM routing.policy ORDER BY number")
STORE = text("INSERT INTO routing.policy (number, digest, files, activated) VALUES (:number, :digest, :files, :at)")

Folder = Annotated[Path | None, typer.Argument(help="The policy folder; by default the one of the checkout.")]


class Activated(Struct, frozen=True, kw_only=True):
    """The result. number: of the bundle. new: False if the newest bundle has the same files already. confirmed: the broker has it."""

    number: int
    digest: str
    new: bool
    confirmed: bool


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


async def activate(found: Settings, files: Mapping[str, bytes]) -> Activated:
    """Store these files as the next bundle; routing publishes it and uses it from the batch after the broker's confirmation.

    The same files as the newest bundle are not stored twice. Rejected, PolicyErrors: nothing was stored.
    """
    digest = policy_digest.digest(files)
    engine = database.admin(found)
    try:
        async with engine.begin() as tx:
            await tx.execute(LOCK)
            before = (await tx.execute(ALL)).all()
            if before and before[-1].digest == digest:
                return Activated(number=before[-1].number, digest=digest, new=False, confirmed=before[-1].confirmed is not None)
            compiled: Policy | None = None
            for row in before:
                compiled = policy.compile(msgspec.msgpack.decode(row.files, type=dict[str, bytes]), compiled)
            at = await clock.now(tx)
            new = policy.compile(files, compiled)
            if short := (*run_out(new, at), *_unguided(new)):
                raise PolicyErrors(short)
            number = before[-1].number + 1 if before else 1
            row_ = {"number": number, "digest": digest, "files": msgspec.msgpack.encode(files), "at": at}
            await tx.execute(STORE, row_)
            return Activated(number=number, digest=digest, new=True, confirmed=False)
    finally:
        await engine.dispose()


def check(files: Mapping[str, bytes]) -> tuple[Policy | None, tuple[str, ...]]:
    """Return the compiled policy, or every error in its files, one line each: file:line: the error, and the allowed values."""
    try:
        compiled = policy.compile(files)
    except PolicyErrors as error:
        return None, error.errors
    short = _unguided(compiled)
    return (None, short) if short else (compiled, ())


def _unguided(found: Policy) -> tuple[str, ...]:
    """Return the error of a policy without any guidance. A bundle that was stored before there was guidance is still read without it."""
    if found.guidance:
        return ()
    return ("guidance/:0:0: no text is here; each step needs guidance: add guidance/<code>.<language>.md, and guidance/sources.yaml",)


def activate_command(folder: Folder = None, as_json: console.Json = False) -> int:
    """Put the folder into force for every decision from now on; tracks that run keep the procedure that they began with.

    Exit 0 in force, 1 the policy has an error, 2 database or folder unavailable.

    Example: referral policy activate policy
    """
    found = settings.load()
    files = read_argument(folder or found.policy)
    try:
        done = asyncio.run(activate(found, files))
    except PolicyErrors as error:
        if as_json:
            console.document({"ok": False, "errors": error.errors})
        else:
            console.wrong([*error.errors, "nothing was activated"])
        return 1
    except Exception as error:
        if not database.away(error):
            raise
        raise Unavailable("the database") from error
    if as_json:
        console.document({"ok": True, **msgspec.to_builtins(done)})
    elif done.new:
        saved = f"policy bundle {done.number} saved, digest {done.digest[:16]}"
        console.console.print(f"{saved}. It takes effect within seconds; `referral doctor` shows it")
    else:
        console.console.print(f"policy bundle {done.number} has these files already; nothing to do")
    return 0


def read_argument(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder that a command was given. An unreadable folder is a usage error."""
    try:
        return read(folder)
    except Rejected as error:
        raise typer.BadParameter(str(error)) from None
