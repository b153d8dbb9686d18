"""`referral prompts`: make the sound files that a call plays, and try a call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from referral.channels import Outgoing, Refused, Unreached, message, prompts
from referral.channels.voice import Trunk, Voice, trunks
from referral.cli import console
from referral.errors import Rejected
from referral.runtime import settings

MEANS = {
    "busy": "the telephone is busy",
    "declined": "the person declined",
    "rings-out": "nobody answered, or the telephone is off",
    "no-key": "somebody or a machine answered, and pressed neither 1 nor 2",
    "wrong-number": "the network does not know this number",
    "bad-address": "write the number with its country, +383…",
    "server-away": "the trunk does not answer: host, port, or a firewall",
    "server-busy": "the trunk has no free line, or a fault of its own",
    "server-refuses-us": "the trunk refuses: user, password, caller's number, or sound in clear where it must be sealed",
    "not-secured": "the trunk's certificate is not one that REFERRAL_SIP_CA vouches for",
    "no-answer": "the call broke",
}
"""Meaning of each end without an answer, for whoever tries a call."""


def make_command(folder: Annotated[Path, typer.Argument(help="Where REFERRAL_PROMPTS points; made if it is not there.")]) -> None:
    """Make the spoken prompts of a call, in every language, with espeak-ng and sox. A file that is there is kept: record your own.

    Exit 0: the folder is complete. 1: a program is absent, or a recording does not suit a telephone.

    Example: referral prompts make prompts
    """
    made, kept = prompts.make(folder)
    for name in made:
        console.say(f"made {name}")
    for name in kept:
        console.say(f"kept {name}")


def call_command(
    number: Annotated[str, typer.Argument(help="Your own telephone, +38344000001.")],
    language: Annotated[str, typer.Option(help="Language of the prompt.")] = "sq",
) -> int:
    """Call a telephone through every trunk of REFERRAL_SIP, one after another, as a drill, and print which key was pressed.

    Exit 0: a key was pressed in every call. 1: it was not, or a prompt is absent. 2: a setting is wrong.

    Example: referral prompts call +38344000001
    """
    if language not in message.WORDINGS:
        raise Rejected("language", "--language", f"one of {', '.join(message.WORDINGS)}: in another one nothing is recorded")
    found = trunks(settings.read())
    if not found:
        raise Rejected("missing", "REFERRAL_SIP", "there is no trunk to call through: see docs/operators.md, Connect a telephone")
    ends = {name: asyncio.run(_call(one, number, language)) for name, one in found.items()}
    for name, (_, end) in ends.items():
        console.say(f"{name}: {end}")
    return 0 if all(answered for answered, _ in ends.values()) else 1


async def _call(trunk: Trunk, number: str, language: str) -> tuple[bool, str]:
    """Return whether a key was pressed, and which, or why none was."""
    out = Outgoing(number, "00000000-0000-4000-8000-000000000000", "", language, True, "")
    try:
        handed = await Voice(trunk).send(out)
    except (Refused, Unreached) as end:
        return False, f"{end} ({MEANS[str(end)]})"
    return True, f"answered, {handed.word}"
