"""`referral drill list`, `run` and `end`: send made-up referrals over the real line, as an exercise, and end them."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from referral.cli import console
from referral.exercise import stories


def list_command(as_json: console.Json = False) -> int:
    """List the made-up referrals that an exercise can send.

    Exit 0 listed.

    Example: referral drill list
    """
    known = stories.stories()
    if as_json:
        return console.document({name: msgspec.to_builtins(story) for name, story in known.items()})
    rows = [(name, story.title["en"], story.hint["en"]) for name, story in known.items()]
    every = (stories.EVERY, "All of these at once", "Every agency of the municipality should be at work: tell all heads.")
    return console.table(("story", "tells", "arrange before"), [*rows, every])


def run_command(
    story: Annotated[str, typer.Argument(help="One of `referral drill list`, or `every`: all of them at once.")],
    municipality: Annotated[str, typer.Option(help="Where the made-up child is found: the people on duty there are alerted.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before people are alerted.")] = False,
    url: console.Url = console.DEFAULT_URL,
    token: console.Token = "",
    as_json: console.Json = False,
) -> int:
    """Send a made-up referral over the real line, marked everywhere as an exercise.

    Your agency refers; the inboxes and alerts are those of the real agencies, and the clock is the true one. Every page, message and call
    says that it is an exercise. No figure counts it, it takes no place in a shelter, and a complaint that it raises is an exercise too.
    From Monday to Friday, 08:00 to 16:00, and on no public holiday, people on duty are called and texted; at other hours only where the
    head of their agency has agreed to it, and by e-mail elsewhere.

    Exit 0 sent, 1 refused, 2 intake cannot be reached.

    Example: referral drill run night-police --municipality prizren
    """
    names, known = stories.chosen(story), stories.stories()
    if not yes:
        titles = "; ".join(known[name].title["en"] for name in names)
        typer.confirm(f"“{titles}” alerts the people on duty in {municipality}. Send it now?", abort=True, err=True)
    with console.client(url, token) as client:
        receipts = {name: client.submit(stories.body(name, municipality)) for name in names}
    if as_json:
        return console.document(receipts[story] if len(receipts) == 1 else receipts)
    say = console.console.print
    for name, receipt in receipts.items():
        say(f"exercise sent: {name}, case {receipt['case_id']}, referral {receipt['referral_id']}", soft_wrap=True)
        say(f"arrange: {known[name].hint['en']}", soft_wrap=True, markup=False)
    cases, referrals = (" ".join(receipt[part] for receipt in receipts.values()) for part in ("case_id", "referral_id"))
    say(f"to end it: referral drill end {referrals}", soft_wrap=True)
    say(f"afterwards, the operator: referral drill report {cases}", soft_wrap=True)
    return 0


def end_command(
    referrals: Annotated[list[str], typer.Argument(help="Referrals of the exercise, as `referral drill run` printed them.")],
    url: console.Url = console.DEFAULT_URL,
    token: console.Token = "",
    as_json: console.Json = False,
) -> int:
    """End an exercise that your agency has begun: nobody is asked or alerted for it any more.

    A referral about a real child is not ended by this: a desk decides, as with every withdrawal.

    Exit 0 ended, 1 no such referral of your agency, 2 intake cannot be reached.

    Example: referral drill end REFERRAL
    """
    with console.client(url, token) as client:
        receipts = [client.withdraw(referral, stories.EXERCISE_OVER) for referral in referrals]
    return console.answer(as_json, receipts, f"ended: {', '.join(receipt['case_id'] for receipt in receipts)}")
