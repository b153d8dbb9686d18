"""`referral agency`: manage an agency's HTTP tokens, its ingress topic, its signing key, and exclusions from a case."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import administration, console
from referral.cli.admin import roster
from referral.cli.connection import run
from referral.domain.local_time import moment
from referral.domain.policy.reading.agencies import signing_key
from referral.errors import Malformed, Rejected
from referral.local import certificates
from referral.local.config import AGENCY_KAFKA
from referral.proof import act
from referral.runtime import secret_file, settings
from referral.runtime.kafka import clients
from referral.runtime.postgres import tokens
from referral.runtime.postgres.tokens import AGENCIES, Token
from referral.tlog import note_keys
from referral.tlog.note_keys import ED25519, SEED, SignerKey
from referral.wire.signed import agency_keys
from referral.wire.signed.operator_word import ENDED

SHOWN = 12
"""Hex digits of a token's hash that name it in lists."""
Agency = Annotated[str, typer.Argument(help="Id of the agency, as in the directory.")]


def token_command(
    agency: Agency,
    label: Annotated[str, typer.Option(help="The system that will use it, in the agency's words.")] = "",
    revoke: Annotated[str | None, typer.Option(help="Revoke the token of this name (see --list), or all; makes none.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the agency's tokens; makes none.")] = False,
    word: console.Word = "",
    as_json: console.Json = False,
) -> int:
    """Make a token, which is shown once and never again. Tokens are stored as hashes; a revoked one is refused within a second.

    Exit 0 done, 1 no such agency or token, 2 the database is down.

    Example: referral agency token school-drita --label 'our case system'
    """
    found = settings.load()
    roster.agency(found, agency, "agency")
    if list_:
        return _list(run(found, lambda tx: AGENCIES.read(tx, agency)), as_json)
    if revoke is not None:  # an empty word, as of a variable that is not set, is refused
        if revoke != "all" and len(revoke) < SHOWN:
            raise Rejected("name", "--revoke", f"give the {SHOWN} digits that --list shows, or all")

        async def end(tx: AsyncConnection, about: list[str]) -> int:
            ended = await AGENCIES.end(tx, agency, "" if revoke == "all" else revoke)
            if not ended:
                raise Rejected("unknown-token", "--revoke", "no valid token of this agency has this name")
            about += map(act.token, ended)
            return len(ended)

        count = administration.change(found, "agency token", end, f"agency:{agency}", f"{ENDED}{agency}")
        return console.answer(as_json, {"revoked": count}, f"{count} revoked")
    token = tokens.made()
    about = (f"agency:{agency}", act.token(tokens.digest(token)))
    administration.change(found, "agency token", lambda tx, _: AGENCIES.add(tx, {agency: token}, note=label), *about, word=word)
    return console.answer(as_json, {"agency": agency, "token": token}, token)


def topic_command(agency: Agency, as_json: console.Json = False) -> int:
    """Make the agency's own topic, ingress.<agency>. Its system alone may write there, 64 KiB a second.

    Exit 0 it exists, 1 no such agency, 2 the broker is down.

    Example: referral agency topic school-drita
    """
    found = settings.load()
    roster.agency(found, agency, "agency")
    with administration.begun(found, "agency topic", f"agency:{agency}"):
        name = asyncio.run(clients.create_ingress(found, agency))
    return console.answer(as_json, {"topic": found.topic(name)}, found.topic(name))


def connect_command(agency: Agency, word: console.Word = "", as_json: console.Json = False) -> int:
    """Make an agency's certificate on this machine, for a trial.

    It prints the variables that name its folder, and the broker's address for agencies: `eval "$(referral agency connect school-drita)"`.

    It needs the authority of a local stack (REFERRAL_CA). A real agency makes its key at home and sends a request: `referral ca request`.

    Exit 0 done, 1 no such agency, or no authority is here.

    Example: referral agency connect school-drita
    """
    found = settings.load()
    roster.agency(found, agency, "agency")
    if found.ca is None:
        raise Rejected("missing", "REFERRAL_CA", "no authority is here; `. <data>/environment` names that of a local stack")
    ca = found.ca.absolute()
    with administration.begun(found, "agency connect", f"agency:{agency}", word=word):
        place = certificates.agency(ca, ca.parent, agency)
    broker = found.agency_kafka
    if as_json:
        return console.document({"agency": agency, "identity": str(place), "kafka": broker or None})
    console.say(f"export REFERRAL_AGENCY_TLS='{place}'")
    if broker:
        console.say(f"export {AGENCY_KAFKA}='{broker}'")
    return 0


def exclude_command(
    case_id: str,
    kind: Annotated[str, typer.Argument(help="AGENCY, STAFF or RELATION.")],
    actor: Annotated[str, typer.Argument(help="Agency id, account id, or a relation such as parent.")],
    url: console.Url = console.DEFAULT_URL,
    token: console.Token = "",
    as_json: console.Json = False,
) -> int:
    """Exclude somebody from a case in which your agency takes part. They lose access to everything that they could read.

    Exit 0 received, 1 refused, 2 intake cannot be reached.

    Example: referral agency exclude CASE RELATION parent
    """
    with console.client(url, token) as client:
        receipt = client.exclude(case_id, kind.upper(), actor)
    return console.answer(as_json, receipt, f"{actor} is excluded from the case")


def _list(known: Sequence[Token], as_json: bool) -> int:
    rows = [(token.digest[:SHOWN], token.holder.note, token.made_at, token.ended_at) for token in known]
    if as_json:
        return console.document([dict(zip(("name", "label", "created_at", "revoked_at"), row, strict=True)) for row in rows])
    shown = [(name, label, moment(made), moment(revoked)) for name, label, made, revoked in rows]
    return console.table(("token", "held by", "made", "revoked"), shown)


def key_command(
    agency: Agency,
    file: Annotated[Path, typer.Option("--file", help="File of the secret key; made if missing, readable by its owner alone.")],
    old: Annotated[
        Path | None, typer.Option("--old", help="File of the key used so far: it signs the new one, which then counts at once.")
    ] = None,
    as_json: console.Json = False,
) -> int:
    """Show the key of a file, made if it is not there: the line for `signing: keys:` of the agency's file in the directory.

    The agency runs it on its own machine: the secret key never leaves that machine, and nobody else needs it. With --old a second line
    follows, for `signing: vouched:`; a new key without it counts a day after it was listed.

    Exit 0 shown, 2 the file cannot be used.

    Example: referral agency key school-drita --file school-drita.key
    """
    key = _key(agency, file, make=True)
    line = key.verifier.encode().decode()
    vouched, new = "", signing_key(line)
    if old is not None and new is not None:
        vouched = b64encode(_key(agency, old).sign(agency_keys.statement(new), 0)).decode()
    if as_json:
        return console.document({"agency": agency, "key": line, **({"vouched": vouched} if vouched else {})})
    for text in filter(None, (line, vouched)):
        console.say(text)
    return 0


def _key(agency: str, file: Path, *, make: bool = False) -> SignerKey:
    """Read a signing key of an agency; make it if the file is missing and `make` is set."""
    try:
        note_keys.named(agency.encode(), "key", "the agency's id")
        if make and not file.exists():
            secret_file.write(file, SignerKey(agency, ED25519, os.urandom(SEED)).encode() + b"\n")
        key = note_keys.signer(file.read_bytes().removesuffix(b"\n"))
    except (OSError, Malformed) as error:
        raise typer.BadParameter(f"{file}: {error}") from None
    if (key.kind, key.name) != (ED25519, agency):
        raise typer.BadParameter(f"{file}: this is no signing key of {agency}, but {key.name}'s of type {key.kind}; name another file")
    return key
