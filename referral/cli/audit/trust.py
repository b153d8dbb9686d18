"""`referral audit trust import|show`: make `trust.toml` from a file of release 0.1.0, and print it as published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from referral.ca import files
from referral.cli import console
from referral.cli.audit import source
from referral.errors import Malformed, Rejected
from referral.runtime import trust_file
from referral.tlog import witness_policy
from referral.wire.signed import trust
from referral.wire.signed.trust import KEYED, OFF

Before = Annotated[Path, typer.Argument(metavar="FILE", help="The C2SP policy file of release 0.1.0, with its comment lines.")]
Out = Annotated[Path | None, typer.Option("--out", help="The file to write, never overwritten; by default trust.toml beside FILE.")]
Known = Annotated[Path, typer.Argument(metavar="FILE", envvar=trust_file.NAME, help="trust.toml.")]


def import_command(file: Before, out: Out = None, as_json: console.Json = False) -> int:
    """Write `trust.toml` from the comment lines of a policy file of release 0.1.0. That file stays as it is, for programs of that release.

    A kind of key that no line names is put off, as it was, and the command says so: name somebody, or leave the word.

    Exit 0 written, or there already with the same content; 1 a line is malformed or nearly one of 0.1.0, or another file is there; 2 a file
    cannot be read or written.

    Example: referral audit trust import /etc/referral/witness.policy
    """
    data, place = source.file(file) or b"", out or file.with_name("trust.toml")
    try:
        witness_policy.parse(data)
        found = trust.imported(data)
    except Malformed as error:
        raise Rejected("policy", str(file), str(error)) from None
    written = found.written()
    try:
        with files.locked(place.parent):
            if place.exists() and place.read_bytes() != written:
                raise Rejected("exists", str(place), "another file is there, and stays: compare the two, or name another with --out")
            files.replace(place, written)
    except OSError as error:
        raise typer.BadParameter(f"{place}: {error.strerror}") from None
    off = [field for field in KEYED if f'{field} = "{OFF}"\n'.encode() in written]
    if as_json:
        return console.document({"trust_file": str(place), "off": off})
    console.say(f"{place}: set REFERRAL_TRUST to it, everywhere; {file} stays for programs of release 0.1.0")
    for field in off:
        console.errors.print(f'{field} = "{OFF}": no line named any, so nobody is asked', soft_wrap=True, markup=False)
    return 0


def show_command(file: Known) -> int:
    """Print a `trust.toml` as the log publishes it: one C2SP policy file, with a comment line for each key.

    Give it to agencies (`referral receipt --policy`). Programs of release 0.1.0 read it too.

    Exit 0 printed, 1 the file is malformed, or cannot be read.

    Example: referral audit trust show /etc/referral/trust.toml
    """
    typer.echo(trust_file.at(file).logged(), nl=False)
    return 0
