"""`referral audit diff`: compare two logs or checkpoints, and find the first leaf at which their histories part."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import Struct

from referral.cli import console
from referral.cli.audit import source
from referral.errors import Malformed, NewerVersion
from referral.proof import archive
from referral.proof.archive import Archive
from referral.tlog import checkpoint, merkle, note
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.merkle import first_difference, leaf_hash
from referral.tlog.tile_layout import FULL
from referral.wire import leaf as wire

LIVE = "live"
FOLLOWS = re.compile(rb"^# follows (.+), which had \d+ entries;", re.MULTILINE)
"""The line by which a log says which one it follows."""
One = Annotated[str, typer.Argument(metavar="A", help="An export's folder, a checkpoint's file, or `live`: the running system.")]
Other = Annotated[str, typer.Argument(metavar="B", help="The other one.")]
Rules = Annotated[
    Path | None, typer.Option("--trust", "--witnesses", help="trust.toml or C2SP policy file for both; by default each one's own.")
]


class Side(Struct, frozen=True):
    """One of the two. there: None for a checkpoint alone. size, root: from its head. origin: the log's name, if it is signed."""

    name: str
    there: Archive | None
    size: int
    root: bytes
    origin: str = ""


def diff_command(one: One, other: Other, witnesses: Rules = None, as_json: console.Json = False) -> int:
    """Compare two logs by a few tiles of each: the same history, one that continues the other, or the first entry at which they part.

    Exit 0 one history, 1 two histories (the first entry that differs is named), 2 a file is away, 3 not comparable: two heads of two sizes
    and no log, or logs of two names (after a restore one follows the other).

    Example: referral audit diff export live
    """
    pinned = source.rules(witnesses)
    with ExitStack() as stack:
        verdict = compare(*(_side(stack, word, pinned) for word in (one, other)))
    console.answer(as_json, verdict, verdict["says"])
    return {"same": 0, "continues": 0, "parts": 1}.get(verdict["verdict"], 3)


def compare(one: Side, other: Side) -> dict[str, Any]:
    """The verdict: same, continues, parts, other-log or unknown. Malformed: the tiles of a side do not make its own head."""
    for side in (one, other):
        if side.there is not None and merkle.root(archive.nodes(side.there, side.size), side.size) != side.root:
            raise Malformed("tile", f"{side.name}: its tiles do not make its own root; `referral audit verify` says where")
    short, long = sorted((one, other), key=lambda side: side.size)
    sizes = {"sizes": {one.name: one.size, other.name: other.size}}
    if one.origin != other.origin and one.origin and other.origin:
        return {**sizes, **_two_logs(one, other)}
    if short.there is None or long.there is None:
        return {**sizes, **_heads(short, long)}
    nodes = [archive.nodes(side.there, side.size) for side in (short, long) if side.there]
    index = first_difference(nodes[0], nodes[1], short.size)
    if index is not None:
        leaves = {side.name: _leaf(side, index) for side in (short, long)}
        says = "\n".join([f"TWO HISTORIES: they part at entry {index}", *(f"{name}: {leaf}" for name, leaf in leaves.items())])
        return {**sizes, "verdict": "parts", "first": index, "leaves": leaves, "says": says}
    return {**sizes, **_one_history(short, long)}


def _two_logs(one: Side, other: Side) -> dict[str, Any]:
    """Compare logs of two names. One may say that it follows the other: then it has the same records, in an order of its own."""
    follows = {side.name: at.origin for side, at in ((one, other), (other, one)) if at.origin in _followed(side)}
    says = [f"TWO LOGS: {side.name} is {side.origin}, {side.size} entries" for side in (one, other)]
    says += [
        f"{name} says that it follows {origin}. It has the same records in another order: verify each by the policy of its time"
        for name, origin in follows.items()
    ]
    if not follows:
        says.append("neither says that it follows the other: ask its operator which one is in use, and why there are two")
    return {"verdict": "other-log", "follows": follows, "says": "\n".join(says)}


def _followed(side: Side) -> set[str]:
    """Return the names of the logs that this one says it follows (`referral audit renew` writes it into its policy file)."""
    rules = side.there.read(archive.POLICY) if side.there is not None else None
    return {name.decode("utf-8", "replace") for name in FOLLOWS.findall(rules or b"")}


def _heads(short: Side, long: Side) -> dict[str, Any]:
    """Compare where one side is a checkpoint alone."""
    if short.size == long.size:
        if short.root == long.root:
            return _one_history(short, long)
        return {"verdict": "parts", "first": None, "says": f"TWO HISTORIES: two heads of {short.size} entries, with two roots"}
    if long.there is not None:
        if merkle.root(archive.nodes(long.there, long.size), short.size) == short.root:
            return _one_history(short, long)
        says = f"TWO HISTORIES: the first {short.size} entries of {long.name} make another root than {short.name}; a head names no leaf"
        return {"verdict": "parts", "first": None, "says": says}
    says = f"NOT COMPARED: heads of {short.size} and {long.size} entries; a log that holds {long.size} is needed"
    return {"verdict": "unknown", "says": says}


def _one_history(short: Side, long: Side) -> dict[str, Any]:
    if short.size == long.size:
        return {"verdict": "same", "says": f"ONE HISTORY: both have the same {short.size} entries"}
    return {"verdict": "continues", "says": f"ONE HISTORY: {long.name} continues {short.name}, from {short.size} to {long.size} entries"}


def _side(stack: ExitStack, word: str, pinned: bytes | None) -> Side:
    path = Path(word)
    if path.is_file():
        head = _head(path.read_bytes(), pinned)
        return Side(word, None, head.size, head.root, head.origin)
    there = stack.enter_context(source.opened(None if word == LIVE else path)).archive
    published = archive.trusted(there, pinned)
    return Side(word, there, *archive.head(there, published), published.accepted.checkpoint.origin if published else "")


def _head(signed: bytes, pinned: bytes | None) -> Checkpoint:
    """Return a checkpoint: verified under the given policy, or only parsed where none is given."""
    if pinned is None:
        return checkpoint.parse(note.parse(signed).text)
    return archive.accepted(signed, pinned)


def _leaf(side: Side, index: int) -> str:
    assert side.there is not None
    leaf = archive.bundle(side.there, index // FULL, side.size)[index % FULL]
    if leaf_hash(leaf) != archive.nodes(side.there, side.size)(0, index):
        return "the leaf that is stored there is not the one that the tree has"
    try:
        body = wire.decode(leaf)
    except (Malformed, NewerVersion):
        return "a leaf that this program cannot read"
    return f"{body.kind} {body.type} {body.topic}[{body.partition}]@{body.offset} case {body.case_id or '-'} seq {body.case_seq}"
