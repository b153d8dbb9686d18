"""`referral policy activate`: store a signed proposal as the next bundle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import Struct, structs
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, connection, console
from referral.cli.policy import policy_folder
from referral.cli.policy.calendar import run_out
from referral.domain.events import PolicyActivated, PolicySignature
from referral.domain.policy import Policy, PolicyErrors, policy
from referral.domain.policy.differences import differences
from referral.domain.signers import NEEDED
from referral.errors import Rejected
from referral.proof.act import DIGITS
from referral.runtime import policy_feed, settings
from referral.runtime.policy_feed import Chain
from referral.runtime.postgres import clock
from referral.runtime.settings import Settings
from referral.wire import policy_digest
from referral.wire.signed import policy_signature

BEGIN = b"referral-policy-proposal-v1\n"


class Proposal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A proposed bundle.

    number, digest, valid_from, before: what is signed (PolicyActivated).
    files: the bundle; earlier: the files of every bundle before it, from which the differences are computed.
    signers: name → public key of those who may sign it, as the proposer has them; `activate` goes by its own.
    """

    number: int
    digest: str
    valid_from: int
    before: str
    files: Mapping[str, bytes]
    earlier: Sequence[Mapping[str, bytes]]
    signers: Mapping[str, bytes]
    signatures: tuple[PolicySignature, ...] = ()

    def body(self, at: int) -> PolicyActivated:
        """Return the event that puts it into force. at: time, µs UTC."""
        return PolicyActivated(
            number=self.number,
            digest=self.digest,
            at=at,
            files=self.files,
            valid_from=self.valid_from,
            before=self.before,
            signatures=self.signatures,
        )

    def signed_by(self) -> tuple[str, ...]:
        """Return the names of those who have signed it."""
        return policy_signature.signed_by(self.body(self.valid_from), self.signers)


def chain(rows: Sequence[Row[Any]], trusted: policy_signature.Trusted) -> Chain:
    """Return the believed bundles among the rows of routing.policy."""
    found = Chain(trusted)
    for row in rows:
        found.add(policy_feed.stored(row))
    return found


def proposed(believed: Chain, files: Mapping[str, bytes], valid_from: int) -> Proposal:
    """Return the proposal that puts these files into force after the believed bundles."""
    return Proposal(
        number=len(believed.known) + 1,
        digest=policy_digest.digest(files),
        valid_from=valid_from,
        before=believed.newest.digest if believed.newest else "",
        files=files,
        earlier=[bundle.files for bundle in believed.known.values()][-1:],
        signers=believed.signers,
    )


def signed(proposal: Proposal, key: Ed25519PrivateKey) -> Proposal:
    """Return the proposal with one more signature. Rejected: nobody who may sign has this key, or its owner has signed already."""
    one = policy_signature.sign(key, proposal.number, proposal.digest, proposal.valid_from, proposal.before)
    name = next((name for name, public in proposal.signers.items() if public == one.public), None)
    if name is None:
        raise Rejected("no-signer", "--key", f"this key is of no signer of this policy; they are: {', '.join(proposal.signers)}")
    if name in proposal.signed_by():
        raise Rejected("signed-already", "--key", f"{name} has signed already: another signer must sign, with a key of their own")
    return structs.replace(proposal, signatures=(*proposal.signatures, one))


def words(proposal: Proposal) -> Iterator[str]:
    """Yield what a signer must read. Rejected: the proposal holds other files than it says. PolicyErrors: of the files."""
    earlier = proposal.earlier[-1] if proposal.earlier else None
    if policy_digest.digest(proposal.files) != proposal.digest or (policy_digest.digest(earlier) if earlier else "") != proposal.before:
        raise Rejected("digest", "FILE", "it holds other files than its digests name: somebody changed it; do not sign it")
    before: Policy | None = policy.compile(earlier) if earlier else None
    yield f"policy bundle {proposal.number}, digest {proposal.digest}"
    yield f"after bundle {proposal.number - 1}, digest {proposal.before}" if earlier else "the first bundle of this stack"
    yield from (f"  {line}" for line in differences(before, policy.compile(proposal.files, before)))
    yield f"  files: {policy_digest.changes(earlier, proposal.files)}"
    yield f"signed by: {', '.join(proposal.signed_by()) or 'nobody yet'}"


def read(path: Path) -> Proposal:
    """Read a proposal. Rejected: it cannot be read, or is none."""
    try:
        data = path.read_bytes()
        if not data.startswith(BEGIN):
            raise Rejected("no-proposal", str(path), "name a file that `referral policy propose` wrote")
        return msgspec.msgpack.decode(data[len(BEGIN) :], type=Proposal)
    except OSError as error:
        raise Rejected("no-file", str(path), f"it cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError:
        raise Rejected("no-proposal", str(path), "it is cut or changed: ask for it again") from None


def write(path: Path, proposal: Proposal) -> None:
    """Write a proposal. Rejected: it cannot be written."""
    try:
        path.write_bytes(BEGIN + msgspec.msgpack.encode(proposal))
    except OSError as error:
        raise Rejected("no-file", str(path), f"it cannot be written: {error.strerror}") from None


def key(path: Path) -> Ed25519PrivateKey:
    """Read a signer's key: Ed25519, PKCS 8 in PEM. Rejected: no such file, or another content."""
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise Rejected("signer-key", str(path), "name a readable key of a signer, as `referral policy key` makes it")
    return found


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


async def activate(found: Settings, files: Mapping[str, bytes]) -> Activated:
    """Propose these files, sign them with the two keys of a local stack, and activate them: one person's stack, the same way.

    The same files as the newest bundle are not stored twice. Rejected: the stack has no such keys. PolicyErrors: nothing was stored.
    """
    if len(found.policy_keys) < NEEDED:
        hint = "two signers must sign it: `referral policy propose`, `sign` and `endorse`, then activate the proposal"
        raise Rejected("two-signers", "FILE", hint)
    async with connection.opened(found) as tx, tx.begin():
        made = await propose(tx, found, files, None)
        if made is None:
            return await _in_force(tx)
        for file in found.policy_keys:
            made = signed(made, key(file))
        return await _store(tx, found, made)


async def publish(found: Settings, made: Proposal) -> Activated:
    """Store a proposal that two signers signed as the next bundle; routing publishes it and uses it from the batch after the broker's
    confirmation.

    Rejected, PolicyErrors: nothing was stored.
    """
    async with connection.opened(found) as tx, tx.begin():
        await tx.execute(LOCK)
        return await _store(tx, found, made)


async def propose(tx: AsyncConnection, found: Settings, files: Mapping[str, bytes], valid_from: int | None) -> Proposal | None:
    """Return the proposal of these files as the next bundle; None: they are those of the newest one.

    valid_from: µs UTC; None: now. PolicyErrors: of the files.
    """
    await tx.execute(LOCK)
    rows = (await tx.execute(ALL)).all()
    if rows and rows[-1].digest == policy_digest.digest(files):
        return None
    believed, at = chain(rows, policy_feed.trusted(found)), await clock.now(tx)
    new = policy.compile(files, _compiled(believed))
    if short := (*run_out(new, at), *policy_folder.missing(new, files)):
        raise PolicyErrors(short)
    return proposed(believed, files, at if valid_from is None else valid_from)


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
    believed, body = chain(rows, policy_feed.trusted(found)), made.body(await clock.now(tx))
    before = _compiled(believed)
    if reason := believed.add(body):
        raise Rejected(reason, "FILE", REFUSED.get(reason, "make the proposal again with `referral policy propose`"))
    new = policy.compile(made.files, before)
    if short := (*run_out(new, body.at), *policy_folder.missing(new, made.files)):
        raise PolicyErrors(short)
    async with administration.recorded(tx, found, "policy activate", f"policy:{made.number}", f"digest:{made.digest[:DIGITS]}"):
        await tx.execute(STORE, policy_feed.columns(body))
        await tx.execute(text(f"NOTIFY {policy_feed.CHANNEL}"))
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
        with connection.reached():
            done = asyncio.run(publish(found, read(path)) if path.is_file() else activate(found, policy_folder.read_argument(path)))
    except PolicyErrors as error:
        if as_json:
            console.document({"ok": False, "errors": error.errors})
        else:
            console.wrong([*error.errors, "nothing was activated"])
        return 1
    saved = f"policy bundle {done.number} saved, digest {done.digest[:16]}, signed by {' and '.join(done.signed_by)}"
    said = f"{saved}. It takes effect within seconds; `referral doctor` shows it"
    there = f"policy bundle {done.number} has these files already; nothing to do"
    return console.answer(as_json, {"ok": True, **msgspec.to_builtins(done)}, said if done.new else there)
