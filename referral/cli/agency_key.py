"""`referral agency key`: the key with which an agency's system signs what it sends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from referral.cli import show
from referral.cli.agency import Agency
from referral.errors import Malformed
from referral.proof import note_keys
from referral.proof.note_keys import ED25519, SignerKey

SEED = 32


def key_command(
    agency: Agency,
    file: Annotated[Path, typer.Option("--file", help="Where the secret key stands; made if it is not there, for its owner alone.")],
    as_json: show.Json = False,
) -> int:
    """Show the key of a file, made if it is not there: the line for `signing: keys:` of the agency's file in the directory.

    The agency runs it on its own machine: the secret key never leaves it, and nobody else needs it.

    Exit 0 shown, 2 the file cannot be used.

    Example: referral agency key school-drita --file school-drita.key
    """
    try:
        note_keys.named(agency.encode(), "key", "the agency's id")
        if not file.exists():
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
                new.write(SignerKey(agency, ED25519, os.urandom(SEED)).encode() + b"\n")
                new.flush()
                os.fsync(new.fileno())
        found = note_keys.signer(file.read_bytes().removesuffix(b"\n"))
    except (OSError, Malformed) as error:
        raise typer.BadParameter(f"{file}: {error}") from None
    if (found.kind, found.name) != (ED25519, agency):
        raise typer.BadParameter(f"{file}: this is no signing key of {agency}, but {found.name}'s of type {found.kind}; name another file")
    line = found.verifier.encode().decode()
    show.document({"agency": agency, "key": line}) if as_json else show.console.print(line, soft_wrap=True, markup=False)
    return 0
