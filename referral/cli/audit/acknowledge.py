"""`referral audit acknowledge`: write findings that an office has looked into on its signed list, which `audit verify --known` reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import DecodeError, Struct, json

from referral.ca import files
from referral.cli import console
from referral.cli.audit import source
from referral.errors import Malformed, Rejected
from referral.proof.verify import known
from referral.proof.verify.known import Known
from referral.proof.verify.report import Finding, Weight
from referral.runtime import secret_file
from referral.tlog import note_keys
from referral.tlog.note_keys import ED25519, SEED, SignerKey

VerdictFile = Annotated[Path, typer.Argument(metavar="VERDICT", help="What `referral audit verify --json` printed.")]
Findings = Annotated[list[str], typer.Argument(metavar="ENTRY:CODE…", help="The findings, as 412:WRITER or log:UNLOGGED.")]
ListFile = Annotated[Path, typer.Option("--list", help="The office's list; begun if it is not there.")]
Because = Annotated[str, typer.Option("--because", help="The reason, in one line, for whoever reads the list. Name no person.")]
SignKey = Annotated[
    Path, typer.Option("--sign", help="The office's secret key; made if missing and --name is given, the public one beside it with .pub.")
]
Office = Annotated[str, typer.Option("--name", help="Name of a new key: a host of yours and a path, as ombudsperson.example/known.")]


class _Verdict(Struct):
    """The part of a verdict that is needed here."""

    checkpoint: dict[str, Any] | None
    findings: list[dict[str, Any]]


def acknowledge_command(
    verdict: VerdictFile,
    findings: Findings,
    list_file: ListFile,
    because: Because,
    sign: SignKey,
    name: Office = "",
    as_json: console.Json = False,
) -> int:
    """Acknowledge findings: `audit verify --known` then counts them, and the verdict is about the others alone.

    A finding counts as acknowledged word for word: where it says more later, or another thing, it is new. Findings about whom you believe,
    the checkpoint and the tree are never acknowledged.

    Exit 0 written, 1 no such finding, or one that is never acknowledged, 2 a file cannot be used.

    Example: referral audit acknowledge verdict.json 412:WRITER --list known.note --because "file 7 of 2027" --sign known.key
    """
    told = _read(verdict)
    if not told.checkpoint:
        raise Rejected("verdict", str(verdict), "it believes no checkpoint, so nobody knows of which log its findings are")
    key = _key(sign, name)
    there = _list(list_file, key, told.checkpoint["origin"])
    chosen = [one for words in findings for one in _chosen(told, words)]
    try:
        made = there.with_rows(chosen, because)
        data = made.signed(key)
    except Malformed as error:
        raise Rejected("known", "ENTRY:CODE", str(error)) from None
    try:
        files.replace(list_file, data)
    except OSError as error:
        raise typer.BadParameter(f"{list_file}: {error.strerror}") from None
    return console.answer(
        as_json,
        {"list": str(list_file), "rows": len(made.rows), "by": key.name},
        f"{list_file}: {len(made.rows)} findings, signed by {key.name}",
    )


def _read(path: Path) -> _Verdict:
    try:
        return json.decode(source.file(path) or b"", type=_Verdict)
    except DecodeError:
        raise typer.BadParameter(f"{path}: it is not what `referral audit verify --json` prints") from None


def _chosen(told: _Verdict, words: str) -> list[Finding]:
    """Return the findings of one word, ENTRY:CODE. Rejected: there is none."""
    entry, _, code = words.partition(":")
    held = [Finding(**{**{k: v for k, v in row.items() if k != "layer"}, "weight": Weight[row["weight"].upper()]}) for row in told.findings]
    found = [one for one in held if known.entry(one) == entry and one.code == code]
    if not found:
        raise Rejected("unknown-finding", words, "the verdict has no such finding, or it is acknowledged already")
    return found


def _list(path: Path, key: SignerKey, origin: str) -> Known:
    """Return the list so far. Rejected: it is of another log. typer.BadParameter: this key has not signed it."""
    if not path.exists():
        return Known(origin)
    there = source.known(path, key.verifier)
    if there.origin != origin:
        raise Rejected("other-log", str(path), f"the list is of the log {there.origin}; begin another one")
    return there


def _key(path: Path, name: str) -> SignerKey:
    """Read the office's key; make it where it is missing and has a name."""
    try:
        if name and not path.exists():
            note_keys.named(name.encode(), "key", "--name")
            made = SignerKey(name, ED25519, os.urandom(SEED))
            secret_file.write(path, made.encode() + b"\n")
            path.with_name(f"{path.name}.pub").write_bytes(made.verifier.encode() + b"\n")
        key = note_keys.signer(path.read_bytes().removesuffix(b"\n"))
    except Malformed as error:
        raise typer.BadParameter(f"{path}: {error}") from None
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}; --name makes a new key") from None
    if key.kind != ED25519:
        raise typer.BadParameter(f"{path}: an office signs its list with an Ed25519 key (type 1), not with a witness's")
    return key
