"""`referral policy key|propose|sign|endorse|pins`: two signers put a policy into force, each with a key of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from referral.cli import connection, console
from referral.cli.policy import activate, policy_folder
from referral.cli.policy.activate import Proposal
from referral.domain.policy import PolicyErrors
from referral.domain.signers import NAME
from referral.errors import Rejected
from referral.local import keyfiles
from referral.runtime import settings
from referral.wire.signed import trust

File = Annotated[Path, typer.Argument(metavar="FILE", help="The proposal, as `referral policy propose` wrote it.")]
Key = Annotated[Path, typer.Option("--key", help="Your secret key, from `referral policy key`.")]
Yes = Annotated[bool, typer.Option("--yes", help="Sign without being asked.")]


def key_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signer: an office in one word, as policy-keeper or oversight-office.")],
    file: Annotated[Path, typer.Option("--file", help="File of the secret key; made if missing, readable by its owner alone.")],
    as_json: console.Json = False,
) -> int:
    """Show the key of a signer, made if it is not there: the line for `trust.toml`, which every service and auditor has.

    The signer runs it on a machine of their own: the secret key never leaves that machine, and nobody else may have it.

    Exit 0 shown, 2 the name or the file cannot be used.

    Example: referral policy key policy-keeper --file keeper.key
    """
    if not NAME.fullmatch(name):
        raise typer.BadParameter("NAME: an office in one word: a to z, digits and hyphens, at most 63")
    try:
        line = trust.person_line("policy_keepers", name, keyfiles.intake(file)).removesuffix("\n")
    except (OSError, Rejected):
        raise typer.BadParameter(f"{file}: it cannot be written, or is no Ed25519 key") from None
    return console.answer(as_json, {"signer": name, "line": line}, line)


def propose_command(
    folder: policy_folder.Folder = None,
    out: Annotated[Path, typer.Option("--out", help="The proposal to write.")] = Path("policy.proposal"),
    valid_from: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%dT%H:%M"], help="Earliest time at which it may come into force, UTC.")
    ] = None,
) -> int:
    """Write a policy folder as a proposal, and print what it changes. Nothing comes into force by it: two signers must sign it.

    Exit 0 written, 1 the policy has an error or is in force already, or FILE cannot be written; 2 database or folder unavailable.

    Example: referral policy propose policy --out policy.proposal
    """
    found = settings.load()
    files = policy_folder.read_argument(folder or found.policy)
    at = int(valid_from.replace(tzinfo=UTC).timestamp()) * 1_000_000 if valid_from else None
    try:
        made = connection.run(found, lambda tx: activate.propose(tx, found, files, at))
        if made is None:
            console.wrong(["these files are in force already; nothing was written"])
            return 1
        _show(made)
    except PolicyErrors as error:
        console.wrong([*error.errors, "nothing was written"])
        return 1
    activate.write(out, made)
    _say(f"{out}: give it to one signer, for `referral policy sign`, and then to the other, for `referral policy endorse`")
    return 0


def sign_command(file: File, key: Key, yes: Yes = False) -> int:
    """Sign a proposal as the first of two, after reading what it changes. It needs no network and no database.

    Exit 0 signed, 1 not signed: you declined, or proposal or key are not the right ones.

    Example: referral policy sign policy.proposal --key keeper.key
    """
    found = activate.read(file)
    if found.signed_by():
        raise Rejected("signed-already", str(file), f"{', '.join(found.signed_by())} has signed it: use `referral policy endorse`")
    return _sign(file, found, key, yes, "give it to another signer, for `referral policy endorse`")


def endorse_command(file: File, key: Key, yes: Yes = False) -> int:
    """Sign a proposal as the second of two, after reading what it changes. It needs no network and no database.

    Exit 0 signed, 1 not signed: you declined, or proposal or key are not the right ones.

    Example: referral policy endorse policy.proposal --key oversight.key
    """
    found = activate.read(file)
    if not found.signed_by():
        raise Rejected("not-signed", str(file), "nobody has signed it yet: the first signer uses `referral policy sign`")
    return _sign(file, found, key, yes, "`referral policy activate` puts it into force")


def _sign(file: Path, found: Proposal, key: Path, yes: bool, then: str) -> int:
    signed = activate.signed(found, activate.key(key))
    try:
        _show(found)
    except PolicyErrors as error:
        console.wrong([*error.errors, "nothing was signed"])
        return 1
    if not yes and not typer.confirm("Do you want all of this to decide about children, from its activation on?"):
        return 1
    activate.write(file, signed)
    _say(f"signed by: {', '.join(signed.signed_by())}; {then}")
    return 0


def pins_command() -> int:
    """Print a line for `trust.toml` for each bundle in force so far, so that they are believed without signatures.

    Needed once where policies were activated before there were signatures, and again where all signers' keys were lost. Compare the digests
    with the log (`referral audit verify` lists them): whoever pins a bundle vouches for it.

    Exit 0 printed, 1 there is none, 2 the database is down.

    Example: referral policy pins
    """
    rows = connection.run(settings.load(), lambda tx: activate.confirmed(tx))
    for number, digest in rows:
        _say(trust.bundle_line(number, digest).removesuffix("\n"))
    return 0 if rows else 1


def _show(found: Proposal) -> None:
    for line in activate.words(found):
        _say(line)


def _say(line: str) -> None:
    console.say(line)
