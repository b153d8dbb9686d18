"""`referral handset`: show the SMS and calls that a local stack's stand-in for telephones received, and answer them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import httpx
import typer
from rich.table import Table
from rich.text import Text

from referral.cli import console
from referral.domain.local_time import local
from referral.errors import Rejected, Unavailable

LIMIT_S = 15.0
"""Limit of one request (ours): a reply waits for the notifier, for at most ten seconds."""
SHOWN = 20
"""Newest entries in the table (ours); --json has all."""
ACTS = ("show", "press", "reply")
ENDS = {
    "1": "key 1: I look",
    "2": "key 2: I cannot",
    "no-key": "answered, no key",
    "declined": "declined",
    "rings-out": "not answered",
    "hung-up": "caller hung up",
    "off": "switched off",
    "taken": "the notifier has it",
}
KINDS = {"sms": "SMS", "call": "call", "reply": "your reply"}

Act = Annotated[str, typer.Argument(help="show (default); press KEY answers the call that rings; reply TEXT answers the SMS.")]
What = Annotated[str, typer.Argument(help="Of press: 1 I look, 2 I cannot, no-key, declined or rings-out. Of reply: its text.")]
Number = Annotated[str, typer.Option("--number", help="Whose telephone; needed if several ring, or several received an SMS.")]
At = Annotated[str, typer.Option("--url", envvar="REFERRAL_HANDSET", help="Address of the handset, as `referral up` prints it.")]


def handset(act: Act = "show", what: What = "", number: Number = "", url: At = "", as_json: console.Json = False) -> int:
    """Show the SMS and calls of a local stack's handset, and answer them. No telephone rings.

    The handset is a stand-in for telephones: its numbers are made up, and what it receives would go to a gateway and a trunk. A browser
    shows the same at its address. Needs the stack's environment: `. <data>/environment`.

    Exit 0 done, 1 nothing rings or there is nothing to reply to, 2 no handset answers.

    Example: referral handset

    Example: referral handset press 1

    Example: referral handset reply "1 4711" --number +999440101
    """
    if act not in ACTS or (act == "show") != (not what):
        raise typer.BadParameter('write `referral handset`, `referral handset press 1` or `referral handset reply "1 4711"`')
    if not url:
        raise Rejected("missing", "REFERRAL_HANDSET", "beside `referral up`: . <its data folder>/environment")
    if act != "show":
        field = "end" if act == "press" else "text"
        answer = _ask("POST", f"{url}/{act}", {field: what, "number": number})
        return _done(answer.json(), as_json)
    entries = [entry for entry in _ask("GET", f"{url}/entries").json() if number in ("", entry["number"])]
    if as_json:
        return console.document(entries)
    _show(entries)
    return 0


def _ask(method: str, url: str, form: dict[str, str] | None = None) -> httpx.Response:
    """Return the handset's answer. Rejected: it cannot do that. Unavailable: it does not answer."""
    try:
        answer = httpx.request(method, url, data=form, timeout=LIMIT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        raise Unavailable("the handset; is `referral up` running?") from None
    if answer.status_code == httpx.codes.CONFLICT:
        raise Rejected("not-done", "handset", answer.text)
    if not answer.is_success:
        raise Unavailable(f"the handset (it answered {answer.status_code})")
    return answer


def _done(entry: dict[str, Any], as_json: bool) -> int:
    """Display what was done. Exit 1: the notifier did not take a reply."""
    console.answer(as_json, entry, f"{entry['number']}: {ENDS.get(entry['end'], entry['end'])}")
    return 1 if entry["kind"] == "reply" and entry["end"] != "taken" else 0


def _show(entries: list[dict[str, Any]]) -> None:
    """Print what rings first, with what to type; then the newest entries, newest first."""
    print_ = console.console.print
    print_("a stand-in: no telephone rings, and the numbers are nobody's", style="dim")
    ringing = [entry for entry in entries if entry["kind"] == "call" and not entry["end"]]
    for call in ringing:
        print_(f"[bold yellow]{' '.join(filter(None, _whose(call)))} rings[/]; it says:", soft_wrap=True)
        print_(f"  {call['text']}", soft_wrap=True, markup=False)
        more = f" --number {call['number']}" if len(ringing) > 1 else ""
        print_(f"  referral handset press 1{more}   (1 I look, 2 I cannot, rings-out, declined, no-key)", soft_wrap=True, markup=False)
    past = [entry for entry in reversed(entries) if entry not in ringing]
    if not entries:
        print_("nothing has arrived yet; an urgent knock sends an SMS at once, and calls after two minutes", soft_wrap=True)
    if not past:
        return
    grid = Table("at", "number", "whose", "what", "text", box=None, pad_edge=False, header_style="bold")
    for entry in past[:SHOWN]:
        at = local(round(datetime.fromisoformat(entry["at"]).timestamp() * 1e6))
        end = ENDS.get(entry["end"], entry["end"])
        grid.add_row(f"{at:%H:%M:%S}", *_whose(entry), f"{KINDS[entry['kind']]}{f', {end}' if end else ''}", Text(entry["text"]))
    print_(grid)
    if len(past) > SHOWN:
        print_(f"and {len(past) - SHOWN} older ones: --json has all", style="dim")


def _whose(entry: dict[str, Any]) -> tuple[str, str]:
    """Return the number, and the made-up person who has it."""
    return entry["number"], entry["name"]
