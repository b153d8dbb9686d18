"""`referral receipt`: prove that a referral is in the log. The proof is fetched once, stored beside the receipt, and checked offline."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from referral.cli import console
from referral.client import Away, Problem
from referral.domain.local_time import moment
from referral.errors import Malformed, NewerVersion
from referral.proof import receipt as receipts
from referral.tlog import witness_policy
from referral.wire.signed import trust_lines

LATE = 3
"""Exit code: neither proven nor disproven."""
BROKEN = (
    "BAD: intake promised, and signed, that this is in the log by {until}, and no proof of it is there ({why}). "
    "Perhaps nobody was asked: telephone the desk now, and send it again under a new key. "
    "Give this receipt to the Ombudsperson and to the log's witnesses: it proves the broken promise"
)
File = Annotated[
    Path, typer.Argument(help="The receipt, a JSON file as intake returned it; the proof is stored beside it (FILE.tlog-proof).")
]
Policy = Annotated[
    Path, typer.Option("--policy", envvar="REFERRAL_WITNESS_POLICY", help="Log, witnesses, quorum and intake's key that you trust.")
]
MaxAge = Annotated[
    float,
    typer.Option("--max-age", min=0, help="Minutes within which a quorum must have seen the log that the proof is of. 0: of any age."),
]
Wait = Annotated[int, typer.Option(help="Seconds to wait until the referral is logged and witnessed.")]


def receipt(
    file: File,
    policy: Policy,
    url: console.Url = console.DEFAULT_URL,
    token: console.Token = "",
    wait: Wait = 60,
    max_age: MaxAge = 0,
    as_json: console.Json = False,
) -> int:
    """Prove a referral from its receipt: intake has signed it, it is in the log, and a quorum of witnesses has seen that.

    A stored proof is checked offline. A receipt states the time by which the referral must be in the log (`logged_by`). After that time,
    a receipt without a proof is evidence of a broken promise.

    Exit 0 proven, 1 it does not hold, is of another referral, or a promise was broken, 2 a file or intake cannot be reached, 3 not logged
    yet, and still in time, or proven by a log that no quorum has seen within --max-age.

    Example: referral receipt receipt.json --policy log.policy
    """
    told, trusted, what = _receipt(file), policy.read_bytes(), file
    kept = file.with_name(f"{file.name}.tlog-proof")
    try:
        # a policy without intake's key says nothing of a receipt's signature
        signed = told.get("signature") or trust_lines.intake_keys(trusted)
        until = receipts.promised(told, trusted) if signed else None
        if not kept.exists() and (why := _fetch(told, kept, url, token, wait)):
            return _without(until, why, as_json)
        what = kept
        found = receipts.check(told, kept.read_bytes(), trusted)
    except NewerVersion as error:
        console.errors.print(f"{what}: {error}", markup=False, soft_wrap=True)
        return LATE
    except Malformed as error:
        console.document({"ok": False, "why": str(error)}) if as_json else console.errors.print(
            f"{what}: {error}", markup=False, soft_wrap=True
        )
        return 1
    now = int(time.time())  # noqa: TID251 - the reader's own clock measures the age of a signature
    still = witness_policy.old(found.seen, now, int(max_age * 60)) if max_age else ""
    if as_json:
        console.document({"ok": True, "still": still, **msgspec.to_builtins(found)})
    else:
        place = f"leaf {found.index} of {found.size} in {found.log}, logged {moment(found.logged_at)}"
        console.say(f"PROVEN: {place}, seen by {', '.join(found.witnesses)}")
    if still:
        console.errors.print(f"the log may stand still: {still}", soft_wrap=True, markup=False)
        return LATE
    return 0


def _fetch(told: dict[str, Any], kept: Path, url: str, token: str, wait: int) -> str:
    """Store the proof. Return why none is available yet, or "". Raises Problem and Away as the client does, where the answer is unknown."""
    try:
        with console.client(url, token) as client:
            kept.write_bytes(client.proof(str(told.get("referral_id", "")), wait=wait))
    except Problem as problem:
        if problem.code != "not-logged-yet":
            raise
        return "intake says: not logged yet"
    except Away as away:
        if not away.answered:
            raise
        return "intake says: the log is away"
    return ""


def _without(until: datetime | None, why: str, as_json: bool) -> int:
    """Report that no proof exists: before the promised time this proves nothing, after it the promise is broken."""
    now = datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - this is the agency's machine and clock
    if until is not None and now > until:
        said = BROKEN.format(until=until.isoformat(), why=why)
        console.document({"ok": False, "why": said}) if as_json else console.errors.print(said, markup=False, soft_wrap=True)
        return 1
    promise = f"intake has promised it by {until.isoformat()}" if until else "this receipt is not signed, so nobody has promised it"
    console.errors.print(f"not logged yet ({why}): {promise}; ask again in a while", markup=False, soft_wrap=True)
    return LATE


def _receipt(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise typer.BadParameter(f"{file}: a receipt is the JSON that POST /v1/referrals answered") from None
