"""`referral operator key|word`: an operator's own key, and the word for one command of another operator."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from referral.cli import console, second_operator
from referral.domain.signers import NAME
from referral.errors import Rejected
from referral.runtime.keys import case_keys
from referral.wire.act_table import BY_TWO
from referral.wire.signed import operator_word, trust
from referral.wire.signed.operator_word import LASTS_S, PLANE

Name = Annotated[str, typer.Argument(metavar="NAME", help="As in the operator's certificate: besa for operator/besa.")]
Command = Annotated[list[str], typer.Argument(metavar="COMMAND…", help="The command after --, as the other operator types it.")]


def key_command(
    name: Name,
    file: Annotated[Path, typer.Option("--file", help="File of your secret key; made if missing, readable by its owner alone.")],
    as_json: console.Json = False,
) -> int:
    """Show your key for what takes two operators, made if it is not there: the line for `trust.toml`, which every auditor has.

    Run it on your own machine: the secret key never leaves it, and nobody else may have it. REFERRAL_OPERATOR_KEYS names the file there.

    Exit 0 shown, 2 the name or the file cannot be used.

    Example: referral operator key besa --file besa.key
    """
    if not NAME.fullmatch(name):
        raise typer.BadParameter("NAME: as in your certificate: a to z, digits and hyphens, at most 63")
    return second_operator.show_own_key(file, as_json, lambda key: trust.person_line("operators", name, key), operator=PLANE + name)


def word_command(
    ctx: typer.Context,
    name: Name,
    command: Command,
    key: Annotated[Path, typer.Option("--key", help="File of your own key (`referral operator key`).")],
) -> int:
    """Give your word, as the second operator, for one command of another: it is good for an hour, once, for exactly that command.

    Let them tell you what it is for, at a number that you have from elsewhere, and type the command yourself. A file that it names, such as
    a request for a certificate, must lie here too. Send them the line that is printed. The log keeps your name beside theirs.

    Exit 0 printed, 1 no such command takes two operators, or a file is missing; 2 the key cannot be used.

    Example: referral operator word keeper --key besa.key -- staff password arta.m
    """
    words, parameters = _parsed(ctx, command)
    if words not in BY_TWO or (words == "ca replace" and parameters["end"]):
        raise Rejected("one-operator", "COMMAND", f"`referral {words}` takes no second operator: {', '.join(sorted(BY_TWO))} do")
    try:
        secret = case_keys.signing(key)
    except Rejected:
        raise typer.BadParameter(f"{key}: it holds no Ed25519 key, or cannot be read") from None
    agreed, salt = second_operator.terms(words, parameters), os.urandom(operator_word.SALT)
    message = operator_word.give(secret, PLANE + name, words, agreed, salt, time.time_ns() // 10**9)
    sys.stderr.write(f"{PLANE}{name} may run `referral {words}` once, as you typed it, within {LASTS_S // 60} minutes. Send this line:\n")
    console.say(operator_word.write(message))
    return 0


def _parsed(ctx: typer.Context, words: list[str]) -> tuple[str, dict[str, Any]]:
    """Return a command's name and its parameters, as this program reads them, without running it."""
    one, path, rest = ctx.find_root().command, list[str](), list(words)
    while hasattr(one, "resolve_command") and rest:
        found, one, rest = one.resolve_command(ctx, rest)
        path.append(str(found))
    if hasattr(one, "resolve_command"):
        raise typer.BadParameter(f"{' '.join(words)}: no such command")
    return " ".join(path), dict(one.make_context(path[-1], rest).params)
