"""`referral policy activate`: store a signed proposal as the next bundle; and read and check a folder for all other commands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, console
from referral.cli.policy import proposal
from referral.cli.policy.calendar import run_out
from referral.cli.policy.proposal import Proposal
from referral.domain.authority import reading
from referral.domain.policy import Policy, PolicyErrors, policy
from referral.domain.policy.reading.signers import NEEDED
from referral.errors import Rejected, Unavailable
from referral.proof.act import DIGITS
from referral.runtime import authority, policy_feed, settings
from referral.runtime.policy_feed import Chain
from referral.runtime.postgres import clock, database
from referral.runtime.settings import Settings
from referral.wire import policy_digest

LIMIT = 7 * 1024 * 1024
"""Bytes. A bundle is one record of referral-policy, which accepts 8 MiB (topics.yaml)."""

LOCK = text("LOCK TABLE routing.policy IN SHARE ROW EXCLUSIVE MODE")
ALL = text("SELECT number, digest, files, activated, valid_from, before, signatures, confirmed FROM routing.policy ORDER BY number")
STORE = text(
    "INSERT INTO routing.policy (number, digest, files, activated, valid_from, before, signatures)"
    " VALUES (:number, :digest, :files, :at, :valid_from, :before, :signatures)"
    " ON CONFLICT (number) DO UPDATE SET digest = excluded.digest, files = excluded.files, activated = excluded.activated,"
    " valid_from = excluded.valid_from, before = excluded.before, signatures = excluded.signatures"
    " WHERE policy.confirmed IS NULL"
)
CONFIRMED = text("SELECT number, digest FROM routing.policy WHERE confirmed IS NOT NULL ORDER BY number")

Folder = Annotated[Path | None, typer.Argument(help="The policy folder; by default the one of the checkout.")]
Source = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A proposal with two signatures; on a local stack also a policy folder.")
]


class Activated(Struct, frozen=True, kw_only=True):
    """The result. number: of the bundle. new: False if the newest bundle has the same files already. confirmed: the broker has it.

    signed_by: names of its signers, of a new bundle.
    """

    number: int
    digest: str
    new: bool
    confirmed: bool
    signed_by: tuple[str, ...] = ()


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
    """Propose these files, sign them with the two keys of a local stack, and activate them: one person's stack, the same way.

    The same files as the newest bundle are not stored twice. Rejected: the stack has no such keys. PolicyErrors: nothing was stored.
    """
    if len(found.policy_keys) < NEEDED:
        hint = "two signers must sign it: `referral policy propose`, `sign` and `endorse`, then activate the proposal"
        raise Rejected("two-signers", "FILE", hint)
    engine = database.admin(found)
    try:
        async with engine.begin() as tx:
            made = await propose(tx, found, files, None)
            if made is None:
                return await _in_force(tx)
            for file in found.policy_keys:
                made = proposal.signed(made, proposal.key(file))
            return await _store(tx, found, made)
    finally:
        await engine.dispose()


async def publish(found: Settings, made: Proposal) -> Activated:
    """Store a proposal that two signers signed as the next bundle; routing publishes it and uses it from the batch after the broker's
    confirmation.

    Rejected, PolicyErrors: nothing was stored.
    """
    engine = database.admin(found)
    try:
        async with engine.begin() as tx:
            await tx.execute(LOCK)
            return await _store(tx, found, made)
    finally:
        await engine.dispose()


async def propose(tx: AsyncConnection, found: Settings, files: Mapping[str, bytes], valid_from: int | None) -> Proposal | None:
    """Return the proposal of these files as the next bundle; None: they are those of the newest one.

    valid_from: µs UTC; None: now. PolicyErrors: of the files.
    """
    await tx.execute(LOCK)
    rows = (await tx.execute(ALL)).all()
    if rows and rows[-1].digest == policy_digest.digest(files):
        return None
    believed, at = proposal.chain(rows, policy_feed.trusted(found)), await clock.now(tx)
    new = policy.compile(files, _compiled(believed))
    if short := (*run_out(new, at), *_unguided(new), *_rights(files)):
        raise PolicyErrors(short)
    return proposal.proposed(believed, files, at if valid_from is None else valid_from)


async def confirmed(tx: AsyncConnection) -> list[tuple[int, str]]:
    """Return number and digest of every bundle that was published."""
    return [(row.number, row.digest) for row in await tx.execute(CONFIRMED)]


async def _in_force(tx: AsyncConnection) -> Activated:
    newest = (await tx.execute(ALL)).all()[-1]
    return Activated(number=newest.number, digest=newest.digest, new=False, confirmed=newest.confirmed is not None)


async def _store(tx: AsyncConnection, found: Settings, made: Proposal) -> Activated:
    """Store a proposal, if every reader will believe it. The lock is held."""
    rows = (await tx.execute(ALL)).all()
    if rows and rows[-1].digest == made.digest:
        return await _in_force(tx)
    believed, body = proposal.chain(rows, policy_feed.trusted(found)), made.body(await clock.now(tx))
    before = _compiled(believed)
    if reason := believed.add(body):
        raise Rejected(reason, "FILE", REFUSED.get(reason, "make the proposal again with `referral policy propose`"))
    new = policy.compile(made.files, before)
    if short := (*run_out(new, body.at), *_unguided(new), *_rights(made.files)):
        raise PolicyErrors(short)
    async with administration.recorded(tx, found, "policy activate", f"policy:{made.number}", f"digest:{made.digest[:DIGITS]}"):
        await tx.execute(STORE, policy_feed.columns(body))
    return Activated(number=made.number, digest=made.digest, new=True, confirmed=False, signed_by=believed.signed_by(made.number))


def _compiled(believed: Chain) -> Policy | None:
    compiled: Policy | None = None
    for bundle in believed.known.values():
        compiled = policy.compile(bundle.files, compiled)
    return compiled


def pem(key: Ed25519PrivateKey) -> bytes:
    """Return a signer's key as its file holds it: PKCS 8 in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


REFUSED = {
    "policy-signatures": "two different signers must have signed it: `referral policy sign`, then `referral policy endorse`",
    "policy-sequence": "another bundle came into force since it was proposed: propose it again, and have it signed again",
    "policy-predecessor": "it was proposed after another bundle than the one in force: propose it again, and have it signed again",
    "policy-early": "its signers want it in force later: activate it from that time on",
    "policy-digest": "it holds other files than its digest names: somebody changed it",
}
"""Reason for which readers would pass a bundle over → what to do."""


def check(files: Mapping[str, bytes]) -> tuple[Policy | None, tuple[str, ...]]:
    """Return the compiled policy, or every error in its files, one line each: file:line: the error, and the allowed values."""
    try:
        compiled = policy.compile(files)
    except PolicyErrors as error:
        return None, error.errors
    short = (*_unguided(compiled), *_rights(files))
    return (None, short) if short else (compiled, ())


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


def activate_command(source: Source = None, as_json: console.Json = False) -> int:
    """Put a proposal that two signers signed into force, for every decision from now on; tracks that run keep the procedure that they began
    with.

    A local stack (`referral up`) has the keys of two signers itself: there a policy folder is proposed, signed, endorsed and activated at
    once.

    Exit 0 in force, 1 the policy has an error or is not signed by two, 2 database, file or folder unavailable.

    Example: referral policy activate policy.proposal
    """
    found = settings.load()
    path = source or found.policy
    try:
        work = publish(found, proposal.read(path)) if path.is_file() else activate(found, read_argument(path))
        done = asyncio.run(work)
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
        saved = f"policy bundle {done.number} saved, digest {done.digest[:16]}, signed by {' and '.join(done.signed_by)}"
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
