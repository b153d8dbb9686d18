"""`referral policy review`: list what nobody has confirmed, and record who has read a text of guidance or a procedure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from referral.cli import console
from referral.cli.policy import policy_folder
from referral.domain.policy import PolicyErrors, compile
from referral.domain.policy.reading.reader import allowed
from referral.domain.policy.reading.reviews import FILE, digest, reviewable
from referral.domain.policy.reviews import Review, State
from referral.runtime.settings import CHECKOUT

HEAD = """\
# Who has read what: written by `referral policy review`. `of` is the SHA-256 of the text that was read: a changed text is a draft again.
# An office stands here by its name, never a person.
"""
SAYS = {State.DRAFTED: "drafted", State.READ: "read by a native reader", State.CONFIRMED: "confirmed"}
Day = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The day on which it was read or confirmed.")]


def review_command(
    path: Annotated[str, typer.Argument(metavar="[TEXT]", help="What was read, below the folder: guidance/first-contact.sq.md.")] = "",
    read: Annotated[bool, typer.Option("--read", help="A native reader of its language has read this text.")] = False,
    office: Annotated[str, typer.Option("--confirmed-by", metavar="OFFICE", help="This office confirms that it is right.")] = "",
    on: Day = None,
    folder: Annotated[Path | None, typer.Option("--policy", help="The policy folder; by default the one of the checkout.")] = None,
    as_json: console.Json = False,
) -> int:
    """List the texts of guidance and the procedures that no office has confirmed, or record that somebody has read one.

    A review is written into reviews.yaml of the folder, and counts once two signers have signed the folder (`referral policy propose`).
    It is of the text as it is now: whoever changes the text afterwards ends it.

    Exit 0 listed or recorded, 1 the policy has an error, 2 there is no such text or folder.

    Example: referral policy review guidance/first-contact.sq.md --read --on 2026-12-01
    Example: referral policy review pathways/violence.yaml --confirmed-by "Department of Social Welfare" --on 2026-12-01
    """
    where = folder or CHECKOUT / "policy"
    files = policy_folder.read_argument(where)
    if (read or office) and not path:
        raise typer.BadParameter("name the text that was read, e.g. guidance/first-contact.sq.md")
    texts = {name: text for name, text in files.items() if reviewable(name)}
    if path and path not in texts:
        raise typer.BadParameter(f"{path} is no text of guidance and no procedure of this policy; {allowed(path, texts)}")
    if read and not path.startswith("guidance/"):
        raise typer.BadParameter("--read is for a text of guidance, which is in one language; for a procedure: --confirmed-by OFFICE")
    if not (read or office):
        return _list(files, path, as_json)
    if on is None:
        raise typer.BadParameter("--on says the day on which it was read, e.g. --on 2026-12-01")
    try:
        compile(files)
    except PolicyErrors as error:
        console.wrong([*error.errors, "nothing was written"])
        return 1
    written = _entries(files)
    written[path] = recorded(written.get(path, {}), texts[path], on.date(), read=read, office=office)
    changed = {**files, FILE: text(written)}
    try:
        compile(changed)
    except PolicyErrors as error:
        console.wrong([*error.errors, "nothing was written"])
        return 1
    policy_folder.write(where, {FILE: changed[FILE]})
    console.say(
        f"{where / FILE}: {path} is {SAYS[State.CONFIRMED if office else State.READ]}, as it stands now",
        f"It counts once two signers have signed it: referral policy propose {where}",
    )
    return 0


def recorded(before: Mapping[str, Any], now: bytes, day: date, *, read: bool, office: str) -> dict[str, Any]:
    """Return the entry of a text after somebody has read it. before: its entry until now; of another text it is worth nothing."""
    entry = dict(before) if before.get("of") == digest(now) else {}
    entry["of"] = digest(now)
    if read:
        entry["read"] = day.isoformat()
    if office:
        entry |= {"confirmed": day.isoformat(), "office": office}
    return entry


def text(entries: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return the file of reviews: a line for each text that somebody has read."""
    lines = []
    for path, entry in sorted(entries.items()):
        words = ", ".join(f"{key}: {_scalar(key, entry[key])}" for key in ("of", "read", "confirmed", "office") if key in entry)
        lines.append(f"  {path}: {{{words}}}\n")
    return (HEAD + "reviews:\n" + "".join(lines)).encode()


def _scalar(key: str, value: Any) -> str:
    return json.dumps(str(value), ensure_ascii=False) if key in ("of", "office") else str(value)


def _entries(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    found = yaml.safe_load(files.get(FILE, b"")) or {}
    return {str(path): dict(entry) for path, entry in (found.get("reviews") or {}).items()}


def _list(files: Mapping[str, bytes], path: str, as_json: bool) -> int:
    try:
        policy = compile(files)
    except PolicyErrors as error:
        console.wrong(error.errors)
        return 1
    known, entries = policy.reviews, _entries(files)
    texts = [path] if path else sorted(name for name in files if reviewable(name))
    found = {name: known.get(name, Review()) for name in texts}
    if as_json:
        return console.document([{"text": name, "state": one.state, **asdict(one)} for name, one in found.items()])
    rows = [
        (name, SAYS[one.state], one.read, f"{one.confirmed} {one.office}".strip() or _changed(name, entries, one))
        for name, one in found.items()
        if path or one.state is not State.CONFIRMED
    ]
    console.table(("text", "state", "native reader", "office"), rows)
    counted = Counter(one.state for one in found.values())
    console.say("\n" + ", ".join(f"{counted[state]} {SAYS[state]}" for state in State))
    console.say(f"{len(found) - counted[State.CONFIRMED]} of {len(found)} were confirmed by no office.")
    return 0


def _changed(name: str, entries: Mapping[str, object], one: Review) -> str:
    return "changed since it was read" if name in entries and one.state is State.DRAFTED else ""
