"""`referral audit receipt`: compare the words that intake signed in a receipt with those that the log has of that event."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from referral.cli import console
from referral.cli.audit import live_log, source
from referral.cli.audit.replay import casebook
from referral.cli.audit.source import AuditorKey, Export, Opened, Witnesses
from referral.errors import Malformed, NewerVersion
from referral.proof import archive
from referral.proof import receipt as receipts
from referral.proof.archive import POLICY
from referral.proof.history.case import unseal
from referral.proof.lookup import BAD, LOGGED
from referral.proof.reading import How
from referral.wire import event_digest
from referral.wire.signed import trust_lines

OPEN = 3
"""Exit code: it could not be compared."""
Receipt = Annotated[Path, typer.Argument(help="The receipt, a JSON file as intake returned it, with `event_digest`.")]
Body = Annotated[Path, typer.Option("--body", help="The body that its sender sent, as JSON.")]
Salt = Annotated[str, typer.Option("--salt", help="The salt that its sender kept beside the body.")]
OTHER = (
    "BAD: intake signed two things. Its receipt says other words of this event than entry {idx} of the log has. "
    "Intake answers for it, not the sender: keep receipt, body and salt, and ask who runs intake"
)


def receipt_command(
    receipt: Receipt,
    body: Body,
    salt: Salt,
    export: Export = None,
    witnesses: Witnesses = None,
    key: AuditorKey = None,
    as_json: console.Json = False,
) -> int:
    """Compare a receipt with the log: did intake record the words that it signed? A sender who signs nothing has no other proof.

    On the running system, opening the case is an entry of the log first.

    Exit 0 the log has these words, 1 it has others, or intake has not signed this receipt, 2 a file, the database or audit is unavailable,
    3 the receipt has no digest or one of another body or salt, its event is not in this log, or its case cannot be opened.

    Example: referral audit receipt receipt.json export --body body.json --salt SALT --key auditor.key
    """
    told, sent = _object(receipt), _object(body)
    if not told.get("event_digest"):
        return _say(OPEN, "the receipt has no digest of words: its sender sent none, or intake is of a release before", as_json)
    if event_digest.digest(salt, event_digest.words_of_body(sent)) != told["event_digest"]:
        return _say(OPEN, "the receipt's digest is not of this body with this salt: ask its sender for those that belong to it", as_json)
    with source.opened(export, key) as there:
        code, what = _compared(there, told, salt, source.policy(witnesses))
    return _say(code, what, as_json)


def _object(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        raise typer.BadParameter(f"{path}: it cannot be read, or is no JSON object") from None


def _compared(there: Opened, told: Mapping[str, object], salt: str, pinned: bytes | None) -> tuple[int, str]:
    """Return exit code and result. Malformed: the receipt is not intake's."""
    own = there.archive.read(POLICY) or b""
    receipts.promised(told, pinned if pinned and trust_lines.intake_keys(pinned) else own)
    book, against = casebook(there.archive, pinned)
    event_id, case_id = str(told.get("event_id", "")), str(told.get("case_id", ""))
    found = archive.find(there.archive, book.size, "event_id", event_id)
    if not found:
        return OPEN, f"this log has no entry of the event; by {told.get('logged_by')} it must ({against.says})"
    entry, mark = book.entry(found[0])
    held = live_log.recorded(there, How.REPLAY, case_id)([case_id]).get(case_id)
    if mark == BAD or against.refused:
        return 1, f"BAD: entry {entry.idx} is not what the log's tree has: {against.says}"
    if held is None:
        return OPEN, "the key of its case is not there: it is erased, or was not lent"
    try:
        read = unseal(entry, held)
        words = event_digest.words_of_event(read.body, read.meta.case_id, drill=read.meta.drill)
    except (Malformed, NewerVersion) as error:
        return OPEN, f"entry {entry.idx} cannot be read: {error}"
    if event_digest.digest(salt, words) != told["event_digest"]:
        return 1, OTHER.format(idx=entry.idx)
    return 0, f"entry {entry.idx} has the words of this receipt{'' if mark == LOGGED else f'; {against.says}'}"


def _say(code: int, what: str, as_json: bool) -> int:
    if as_json:
        console.document({"ok": code == 0, "what": what})
    else:
        (console.errors if code else console.console).print(what, markup=False, soft_wrap=True)
    return code
