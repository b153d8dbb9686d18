"""`referral audit renew`: begin a new log that names its predecessor, where the old log cannot continue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.ca import files
from referral.cli import administration, console
from referral.cli.audit import source
from referral.errors import Malformed, Rejected
from referral.proof import archive
from referral.runtime import settings
from referral.tlog import checkpoint, note, witness_policy
from referral.wire.signed import trust

STATE = text("SELECT cosigned FROM audit.checkpoint WHERE cosigned IS NOT NULL ORDER BY size DESC LIMIT 1")
OWNED = text("SELECT count(*) FROM audit.lease WHERE owner IS NOT NULL AND lease_until > clock_timestamp()")
TABLES = ("entry", "tile", "checkpoint")
EMPTY = text("UPDATE audit.head SET size = 0, root = sha256(''), at = 0")
AGAIN = text("UPDATE audit.lease SET epoch = epoch + 1, owner = NULL, lease_until = '-infinity', positions = '{}', clean = true")
ACTS = text("UPDATE audit.act SET idx = NULL")
EVENTS = text("UPDATE audit.security SET idx = NULL")
"""The new log gets every act again: no topic has them."""

Export = Annotated[Path, typer.Option("--export", help="An export of the log as it is now: its tables are emptied.")]
TrustFile = Annotated[
    Path, typer.Option("--trust", help="trust.toml of the new log: `referral audit key` began it, and everybody is in it.")
]
Shown = Annotated[
    Path | None, typer.Option("--last", help="The newest checkpoint of the old log that a witness shows, if it is not the export's.")
]


def renew_command(export: Export, trust_file: TrustFile, last: Shown = None, word: console.Word = "", as_json: console.Json = False) -> int:
    """Begin a new log after this one was set back to an old copy, or its key is lost. Audit must be stopped.

    Every record stays in the topics, so audit reads them again from the start, into the new log. Its first entries name the old log's last
    checkpoint. Witnesses start again too, because they identify a log by its name.

    Exit 0 done, 1 refused (the message gives the reason), 2 a file or the database is unavailable.

    Example: referral audit renew --export old --trust new.toml --last witness-1.note
    """
    there = source.opened_export(export)
    kept = there.read(archive.CHECKPOINT) or b""
    shown = _read(last) if last else kept
    try:
        logs = witness_policy.parse(there.read(archive.POLICY) or b"").logs
        quoted, _ = checkpoint.verify(note.parse(shown), [log.key for log in logs])
        believed = trust.read(_read(trust_file))
        own = _own(believed.witness_policy)
    except Malformed as error:
        raise Rejected("file", "--last or --trust", str(error)) from None
    if quoted.origin == own:
        raise Rejected("same-log", "--trust", f"the new log must have another name than {own}: `referral audit key --name …`")
    lines = [f"# follows {quoted.origin}, which had {quoted.size} entries; its last known checkpoint:"]
    lines += [f"#   {line}" for line in shown.decode("utf-8", "replace").removesuffix("\n").split("\n")]
    quotation = "\n".join(lines)
    try:
        follows = structs.replace(believed, witness_policy=quotation.encode() + b"\n" + believed.witness_policy).written()
    except Malformed as error:
        raise Rejected("file", "--last", str(error)) from None
    count = administration.change(settings.load(), "audit renew", lambda tx, _: _renew(tx, kept), word=word)
    try:
        with files.locked(trust_file.parent):
            files.replace(trust_file, follows)
    except OSError as error:
        what = f"{error.strerror}; the new log has begun, so write these lines into its witness_policy by hand:\n{quotation}"
        raise Rejected("file", "--trust", what) from None
    return console.answer(
        as_json,
        {"log": own, "follows": quoted.origin, "size": quoted.size, "deleted": count},
        f"{own} follows {quoted.origin} ({quoted.size} entries); {trust_file} says so, and the new log's first entries will",
        "now: set REFERRAL_LOG_KEY_FILE and REFERRAL_TRUST to the new files, tell the witnesses, start audit",
    )


async def _renew(tx: AsyncConnection, kept: bytes) -> int:
    """Empty the old tables and set audit's positions to the start of every topic, in one transaction."""
    if (await tx.execute(OWNED)).scalar_one():
        raise Rejected("running", "audit", "audit is running: stop every instance, wait 10 s, and run this again")
    published = (await tx.execute(STATE)).scalar_one_or_none()
    if published is not None and published != kept:
        raise Rejected("export", "--export", "it does not end at this database's newest checkpoint: `referral audit export` again")
    count = int((await tx.execute(text("SELECT size FROM audit.head"))).scalar_one())
    for table in TABLES:
        await tx.execute(text(f"ALTER TABLE audit.{table} DISABLE TRIGGER append_only"))
        await tx.execute(text(f"TRUNCATE audit.{table}"))
        await tx.execute(text(f"ALTER TABLE audit.{table} ENABLE TRIGGER append_only"))
    for table, again in (("act", ACTS), ("security", EVENTS)):
        await tx.execute(text(f"ALTER TABLE audit.{table} DISABLE TRIGGER append_only"))
        await tx.execute(again)
        await tx.execute(text(f"ALTER TABLE audit.{table} ENABLE TRIGGER append_only"))
    await tx.execute(EMPTY)
    await tx.execute(AGAIN)
    return count


def _own(policy: bytes) -> str:
    """Return the name of the one log in a policy file. Malformed."""
    logs = witness_policy.parse(policy).logs
    if len(logs) != 1:
        raise Malformed("policy", f"it names {len(logs)} logs instead of one")
    return logs[0].name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None
