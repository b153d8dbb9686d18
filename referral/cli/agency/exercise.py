"""`referral drill run` and `referral drill list`: send a made-up referral over the real line, as an exercise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec import Struct

from referral.cli import console
from referral.errors import Rejected

FILE = Path(__file__).with_name("exercises.yaml")


class Story(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A made-up referral. title: what it tells. hint: what the trainer arranges. traits, file: as in the body of a referral."""

    title: str
    hint: str
    traits: dict[str, Any]
    file: dict[str, dict[str, Any]]


def stories() -> dict[str, Story]:
    """Return the stories by name, in the order of the file."""
    return msgspec.yaml.decode(FILE.read_bytes(), type=dict[str, Story])


def body(story: Story, municipality: str) -> Mapping[str, Any]:
    """Return the referral that is sent: marked as an exercise, whatever the story says."""
    return {"traits": {**story.traits, "found_in": municipality}, "file": story.file, "drill": True}


def list_command(as_json: console.Json = False) -> int:
    """List the made-up referrals that an exercise can send.

    Exit 0 listed.

    Example: referral drill list
    """
    known = stories()
    if as_json:
        console.document({name: msgspec.to_builtins(story) for name, story in known.items()})
    else:
        console.table(("story", "tells", "arrange before"), [(name, story.title, story.hint) for name, story in known.items()])
    return 0


def run_command(
    story: Annotated[str, typer.Argument(help="One of `referral drill list`.")],
    municipality: Annotated[str, typer.Option(help="Where the made-up child is found: the people on duty there are alerted.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before people are alerted.")] = False,
    url: console.Url = console.DEFAULT_URL,
    token: console.Token = "",
    as_json: console.Json = False,
) -> int:
    """Send a made-up referral over the real line, marked everywhere as an exercise.

    Your agency refers; the inboxes and alerts are those of the real agencies, and the clock is the true one. Every page, message and call
    says that it is an exercise. No figure counts it, it takes no place in a shelter, and a complaint that it raises is an exercise too. It
    alerts the people on duty at once, at night too: tell their heads before.

    Exit 0 sent, 1 refused, 2 intake cannot be reached.

    Example: referral drill run night-police --municipality prizren
    """
    known = stories()
    if story not in known:
        raise Rejected("unknown-story", story, f"one of {', '.join(known)}")
    if not yes:
        typer.confirm(f"“{known[story].title}” alerts the people on duty in {municipality} now. Send it?", abort=True, err=True)
    with console.client(url, token) as client:
        receipt = client.submit(dict(body(known[story], municipality)))
    if as_json:
        console.document(receipt)
    else:
        console.console.print(f"exercise sent: case {receipt['case_id']}", soft_wrap=True)
        console.console.print(f"arrange: {known[story].hint}", soft_wrap=True, markup=False)
        console.console.print(f"afterwards, the operator: referral drill report {receipt['case_id']}", soft_wrap=True)
    return 0
