"""`referral case show|instruct`: one case, as far as your agency may see it, and a desk's decision about it."""

from __future__ import annotations

from typing import Annotated

import typer

from referral.cli import show


def show_case(case_id: str, url: show.Url = show.DEFAULT_URL, token: show.Token = "", as_json: show.Json = False) -> int:
    """The case as a timeline: what was asked of whom, and how it stands.

    Exit 0 told, 1 no such case for your agency, 2 intake cannot be reached.

    Example: referral case show CASE
    """
    with show.client(url, token) as client:
        case = client.case(case_id)
    if as_json:
        show.document(case)
        return 0
    show.console.print(f"case {case_id} · {case.get('state', '')}")
    rows = [
        (show.moment(e.get("at")), e.get("what", ""), e.get("step", ""), e.get("agency", ""), e.get("detail", "")) for e in case["timeline"]
    ]
    show.table(("when", "what", "step", "agency", "detail"), rows)
    return 0


def instruct(
    case_id: str,
    word: Annotated[str, typer.Argument(help="OFFER, LINK, CLOSE, RELEASE, STOP, RESUME or SETTLE.")],
    reason: Annotated[str, typer.Option(help="Coded reason.")],
    url: show.Url = show.DEFAULT_URL,
    token: show.Token = "",
    track: Annotated[str, typer.Option(help="Track id.")] = "",
    step: Annotated[str, typer.Option(help="Step of the pathway.")] = "",
    seat: Annotated[int, typer.Option(help="Seat of the step.")] = 0,
    target: Annotated[str, typer.Option(help="Service to ask, or code to settle.")] = "",
    other: Annotated[str, typer.Option(help="The other case of a link.")] = "",
    as_json: show.Json = False,
) -> int:
    """Decide, as the case's desk, what no rule could.

    Exit 0 received, 1 refused, 2 intake cannot be reached.

    Example: referral case instruct CASE OFFER --reason best-interest --step shelter --target shelter-linden.beds
    """
    given = {"word": word.upper(), "reason": reason, "track_id": track, "step": step, "seat": seat, "target": target, "other": other}
    with show.client(url, token) as client:
        receipt = client.instruct(case_id, {name: value for name, value in given.items() if value != ""})
    if as_json:
        show.document(receipt)
    else:
        show.console.print(f"{word.upper()} received; `referral case show {case_id}` shows what it led to")
    return 0
