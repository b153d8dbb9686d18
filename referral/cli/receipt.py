"""`referral receipt`: the proof that a referral is in the log, fetched once, kept, and checked without asking anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from referral.cli import show
from referral.client import Problem
from referral.errors import Malformed, NewerVersion
from referral.proof import receipt as receipts

LATE = 3
"""Exit code: neither proven nor disproven."""
File = Annotated[Path, typer.Argument(help="The receipt, a JSON file as the door gave it; the proof is kept beside it (FILE.tlog-proof).")]
Policy = Annotated[Path, typer.Option("--policy", envvar="REFERRAL_WITNESS_POLICY", help="Log, witnesses and quorum that you trust.")]
Wait = Annotated[int, typer.Option(help="Seconds to wait until it is logged and witnessed.")]


def receipt(
    file: File, policy: Policy, url: show.Url = show.DEFAULT_URL, token: show.Token = "", wait: Wait = 60, as_json: show.Json = False
) -> int:
    """Prove a referral from its receipt: it is in the log, and a quorum of witnesses has seen that. A kept proof is checked offline.

    Exit 0 proven, 1 it does not hold, or is of another referral, 2 a file or intake cannot be reached, 3 not logged yet.

    Example: referral receipt receipt.json --policy log.policy
    """
    told = _receipt(file)
    kept = file.with_name(f"{file.name}.tlog-proof")
    if not kept.exists():
        try:
            with show.client(url, token) as client:
                proof = client.proof(str(told.get("referral_id", "")), wait=wait)
        except Problem as problem:
            if problem.code != "not-logged-yet":
                raise
            show.errors.print("not logged yet: ask again in a while", markup=False)
            return LATE
        kept.write_bytes(proof)
    try:
        found = receipts.check(told, kept.read_bytes(), policy.read_bytes())
    except NewerVersion as error:
        show.errors.print(f"{kept}: {error}", markup=False, soft_wrap=True)
        return LATE
    except Malformed as error:
        show.document({"ok": False, "why": str(error)}) if as_json else show.errors.print(f"{kept}: {error}", markup=False, soft_wrap=True)
        return 1
    if as_json:
        show.document({"ok": True, **msgspec.to_builtins(found)})
    else:
        place = f"leaf {found.index} of {found.size} in {found.log}, logged {show.moment(found.logged_at)}"
        show.console.print(f"PROVEN: {place}, seen by {', '.join(found.witnesses)}", soft_wrap=True, markup=False)
    return 0


def _receipt(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise typer.BadParameter(f"{file}: a receipt is the JSON that POST /v1/referrals answered") from None
