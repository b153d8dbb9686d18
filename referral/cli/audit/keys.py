"""`referral audit key|writer|reader|token`: make the keys of log, services and auditors, and tokens to read the log over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, console, second_operator
from referral.domain.durations import DAY_US
from referral.domain.local_time import moment
from referral.errors import Malformed, Rejected
from referral.local import keyfiles
from referral.proof import act
from referral.runtime import secret_file, settings
from referral.runtime.postgres import clock, tokens
from referral.runtime.postgres.tokens import AUDITOR_TOKEN_DAYS, AUDITORS, OFFICE
from referral.tlog import note_keys
from referral.tlog.note_keys import ED25519, SEED, SignerKey
from referral.wire.signed import trust, writer_signature
from referral.wire.signed.operator_word import ENDED

KeyFile = Annotated[Path, typer.Option("--key", help="The secret key; a new file, never overwritten.")]
Name = Annotated[
    str, typer.Option("--name", help="The log's permanent name, its origin: a host of yours and a path, as audit.example/referral.")
]
IntakeFile = Annotated[Path, typer.Option("--intake-key", help="Intake's own secret key; made if missing, never overwritten.")]
TrustFile = Annotated[Path, typer.Option("--trust", help="The file of whom everybody believes, to begin; a new file too.")]


def key_command(
    name: Name,
    key: KeyFile = Path("log.key"),
    trust_file: TrustFile = Path("trust.toml"),
    intake: IntakeFile = Path("intake.key"),
    as_json: console.Json = False,
) -> int:
    """Make the key that signs the log and the one with which intake signs, and begin `trust.toml`, which says whom everybody believes.

    A log has one key and one name for its whole life. Store its key only on audit's machine; a lost key ends the log. Store intake's key
    only
    on intake's machines: anybody who has it can sign receipts and erasures. `trust.toml` names the public half of both.
    Add the witnesses, and a line for everybody else; until then no service starts.

    Exit 0 made, 2 a file exists already or cannot be written.

    Example: referral audit key --name audit.example/referral
    """
    try:
        note_keys.named(name.encode(), "key", "--name")
    except Malformed as error:
        raise typer.BadParameter(str(error)) from None
    made = SignerKey(name, ED25519, os.urandom(SEED))
    try:
        known = keyfiles.intake(intake)
    except OSError as error:
        raise typer.BadParameter(f"{intake}: {error.strerror}") from None
    written = list[Path]()
    begun = "".join((*trust.policy_lines(keyfiles.policy(made.verifier, ()).decode()), trust.intake_line(known)))
    for path, data in ((key, made.encode() + b"\n"), (trust_file, begun.encode())):
        try:
            secret_file.write(path, data)
        except OSError as error:
            for half in written if isinstance(error, FileExistsError) else (*written, path):  # one without the other is of no use
                half.unlink(missing_ok=True)
            raise typer.BadParameter(f"{path}: {error.strerror}") from None
        written.append(path)
    public = made.verifier.encode().decode()
    return console.answer(
        as_json,
        {"origin": name, "key": public, "key_file": str(key), "trust_file": str(trust_file), "intake_key_file": str(intake)},
        f"public key of the log, for witnesses and auditors:\n  {public}",
        f"now: name witnesses and everybody else in {trust_file}; set REFERRAL_TRUST for all services, REFERRAL_LOG_KEY_FILE for audit "
        f"and REFERRAL_INTAKE_KEY_FILE ({intake}) for intake",
    )


KeyPath = Annotated[Path, typer.Argument(metavar="FILE", help="File of the secret key; the public key is written beside it with .pub.")]


def reader_command(path: KeyPath, as_json: console.Json = False) -> int:
    """Make an auditor's key pair. Keep FILE secret; give FILE.pub to the person who exports the log for you.

    Exit 0 made, 2 the file exists or cannot be written.

    Example: referral audit reader auditor.key
    """
    secret, public = X25519PrivateKey.generate(), path.with_name(f"{path.name}.pub")
    try:
        with public.open("xb") as file:  # of an older pair it stays: exports may be lent to it
            file.write(secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        secret_file.write(path, secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except OSError as error:
        if error.filename == str(path):
            public.unlink()
        raise typer.BadParameter(f"{error.filename}: {error.strerror}") from None
    return console.answer(
        as_json,
        {"secret": str(path), "public": str(public)},
        f"{path}: keep it, for yourself alone\n{public}: give it to whoever exports for you",
    )


Service = Annotated[str, typer.Argument(metavar="SERVICE", help="intake, routing, notifier or oversight.")]
WriterFile = Annotated[Path, typer.Option("--file", help="File of the secret key; made if missing, readable by its owner alone.")]


def writer_command(service: Service, file: WriterFile, as_json: console.Json = False) -> int:
    """Show the key with which a service signs its records, made if it is not there: the line for `trust.toml`.

    Run it on the service's own machine: the secret key never leaves it, and no other service may have it. Each of the four needs its line.

    Exit 0 shown, 2 no such service, or the file cannot be used.

    Example: referral audit writer routing --file routing-writer.key
    """
    if service not in writer_signature.OWNERS.values():
        raise typer.BadParameter("SERVICE: intake, routing, notifier or oversight; the others write no topic")
    return second_operator.show_own_key(file, as_json, lambda key: trust.writer_line(service, key), service=service)


TokenName = Annotated[str, typer.Argument(help="The auditor's name in the log of readings: an office, not a person.")]
End = Annotated[bool, typer.Option("--end", help="End every token of this auditor; makes none.")]


def token_command(name: TokenName, end: End = False, word: console.Word = "", as_json: console.Json = False) -> int:
    """Make a token for the auditor's page and for the log's entries over HTTP. It is displayed once, and stored as a hash.

    It ends after 90 days; the day is displayed on standard error. Make the next one before, and end all at any time with --end.

    Exit 0 done, 1 no token of this name is valid, 2 the name is malformed, or the database is down.

    Example: referral audit token ombudsperson
    """
    if not OFFICE.fullmatch(name):  # log lines contain it, and no person's name may appear there
        raise typer.BadParameter("NAME: an office as one word, e.g. ombudsperson or court-prizren: a to z, digits and hyphens, at most 63")
    if end:

        async def ended(tx: AsyncConnection, about: list[str]) -> int:
            hashes = await AUDITORS.end(tx, name)
            if not hashes:
                raise Rejected("unknown-token", "NAME", "this auditor has no valid token")
            about += map(act.token, hashes)
            return len(hashes)

        count = administration.change(settings.load(), "audit token", ended, f"office:{name}", f"{ENDED}{name}")
        return console.answer(as_json, {"ended": count}, f"{count} ended")
    token = tokens.made()

    async def add(tx: AsyncConnection, _: list[str]) -> int:
        await AUDITORS.add(tx, {name: token})
        return await clock.now(tx) + AUDITOR_TOKEN_DAYS * DAY_US

    about = (f"office:{name}", act.token(tokens.digest(token)))
    until = moment(administration.change(settings.load(), "audit token", add, *about, word=word))
    if as_json:
        return console.document({"name": name, "token": token, "until": until})
    console.say(token)
    console.errors.print(f"it ends on {until}", soft_wrap=True)
    return 0
