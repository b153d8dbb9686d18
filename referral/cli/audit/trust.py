"""`referral audit trust import|show|compare`: make `trust.toml` from a file of release 0.1.0, print it as published, compare two."""

from __future__ import annotations

from base64 import b64encode
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
from referral.wire.signed.trust import KEYED, OFF, Trust

Before = Annotated[Path, typer.Argument(metavar="FILE", help="The C2SP policy file of release 0.1.0, with its comment lines.")]
Out = Annotated[Path | None, typer.Option("--out", help="The file to write, never overwritten; by default trust.toml beside FILE.")]
Mine = Annotated[Path, typer.Argument(metavar="MINE", help="trust.toml, or a policy file as the log publishes it.")]
Other = Annotated[Path, typer.Argument(metavar="OTHER", help="The same from somebody else: an agency, a signer, another auditor.")]
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


def compare_command(mine: Mine, other: Other, as_json: console.Json = False) -> int:
    """Compare whom two files believe: yours with an agency's, a signer's or another auditor's.

    Where both name the same keys, whoever gave you yours would have had to deceive both of you.

    Exit 0 they name the same, 1 they differ, or one of them names nobody, 2 a file cannot be read.

    Example: referral audit trust compare trust.toml school.policy
    """
    left, right = _keys(mine), _keys(other)
    rows = [(word, _compared(left[word], right[word], mine, other)) for word in left]
    same = all(left[word] == right[word] and left[word] for word in left)
    if as_json:
        console.document({"same": same, "words": dict(rows)})
    else:
        console.table(("word", "in both files"), rows)
    return 0 if same else 1


def _compared(left: frozenset[str], right: frozenset[str], mine: Path, other: Path) -> str:
    if left == right:
        return f"the same: {', '.join(sorted(left))}" if left else "nobody"
    parts = [f"only in {file}: {', '.join(sorted(keys))}" for file, keys in ((mine, left - right), (other, right - left)) if keys]
    return f"DIFFERS: {'; '.join(parts)}"


def _keys(path: Path) -> dict[str, frozenset[str]]:
    """Return word of `trust.toml` → the keys that the file names, each with its holder. typer.BadParameter: the file is malformed."""
    data = source.file(path) or b""
    try:
        found = trust.read(data) if path.suffix == source.TOML else trust.imported(data)
        witness_policy.parse(found.witness_policy)
    except Malformed as error:
        raise typer.BadParameter(f"{path}: {error}") from None
    rules = (line.split() for line in found.witness_policy.decode().splitlines() if line.strip() and not line.startswith("#"))
    keyed = {"log": 2, "witness": 3}  # their words without an address, which differs by network
    lines = frozenset(" ".join(words[: keyed.get(words[0], len(words))]) for words in rules)
    return {"witness_policy": lines} | {word: frozenset(_shown(*row) for row in rows) for word, rows in _parties(found).items()}


def _parties(found: Trust) -> dict[str, list[tuple[str, bytes]]]:
    return {
        "intake": [("", key) for key in found.erasers.intake],
        "policy_keepers": [*found.policy.signers.items()],
        "approvers": [*found.erasers.approvers.items()],
        "operators": [*found.operators.keys.items()],
        "writers": [(service, key) for service, keys in found.writers.keys.items() for key in keys],
    }


def _shown(name: str, public: bytes) -> str:
    """Return a key with its holder. The whole key: eight letters of one can be made to fit."""
    return f"{name} {b64encode(public).decode()}".strip()
