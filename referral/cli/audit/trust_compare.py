"""`referral audit trust compare`: hold whom your file believes against the file of another party, or what holders of keys have read out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import Struct

from referral.cli import console
from referral.cli.audit import source
from referral.errors import Malformed
from referral.tlog import witness_policy
from referral.wire.signed import trust
from referral.wire.signed.trust import FIELDS, KEYED, OFF, UNTIL

Mine = Annotated[Path, typer.Argument(metavar="MINE", help="trust.toml, or a policy file as the log publishes it.")]
Other = Annotated[
    Path, typer.Argument(metavar="OTHER", help="The same from somebody else; or a file .toml of lines as holders of keys read them out.")
]
RULES, NEEDED = FIELDS[0], FIELDS[: 1 + len(KEYED)]
SAME, ANOTHER, NOBODY = "the same", "another key", "nobody"
"""Result for a word: both files name the same; they name two keys of one holder; a file names nobody for it, or for one holder."""
ASK = {
    RULES: "ask that witness on a number that you know; for the log's key, a witness or an agency that has had it for long",
    "intake": "ask an agency that has had its file for long: it checks its receipts by this key",
    "policy_keepers": "ask that signer on a number that you know: `referral policy key` prints the line",
    "approvers": "ask that person on a number that you know: `referral case key` prints the line",
    "operators": "ask that operator on a number that you know, and no other one: `referral operator key` prints the line",
    "writers": "go to that machine: `referral audit writer` prints the line while you look on",
}
"""Word of `trust.toml` → who says which key is true."""
Holders = Mapping[str, frozenset[str]]
"""Holder → keys. Of the C2SP policy file also its rules: `group NAME` and `quorum`."""


def compare_command(mine: Mine, other: Other, as_json: console.Json = False) -> int:
    """Compare whom two files believe, key by key: yours with an agency's, or with the lines that holders of keys have read out to you.

    Two files that come from one hand prove nothing, however equal they are.

    Exit 0 both name the same, 1 somebody has another key, 2 a file cannot be read, 3 nobody has another key, but a file names nobody for a
    word, or for a holder whom the other one names.

    Example: referral audit trust compare trust.toml school.policy
    """
    left, right = _keys(mine), _keys(other)
    compared = [Compared(word, left[word], right[word], str(mine), str(other)) for word in NEEDED]
    results = {one.result for one in compared}
    if as_json:
        words = {one.word: {"result": one.result, "what": str(one)} for one in compared}
        console.document({"same": results == {SAME}, "words": words})
    else:
        console.table(("word", "in both files"), [(one.word, str(one)) for one in compared])
    return 1 if ANOTHER in results else 3 if NOBODY in results else 0


class Compared(Struct, frozen=True):
    """One word in two files. left, right: the holders that the files mine and other name for it."""

    word: str
    left: Holders
    right: Holders
    mine: str
    other: str

    @property
    def result(self) -> str:
        if any(self.left[one] != self.right.get(one, self.left[one]) for one in self.left):
            return ANOTHER
        return SAME if self.left and self.left.keys() == self.right.keys() else NOBODY

    def __str__(self) -> str:
        both = [one for one in self.left if one in self.right]
        same = [one for one in both if self.left[one] == self.right[one]]
        parts = [f"{SAME}: {_named(same, self.left)}"] if same else []
        for one in (one for one in both if one not in same):
            parts.append(f"ANOTHER KEY: {self.mine} has {_named([one], self.left)}, {self.other} has {_named([one], self.right)}")
        for file, own, others in ((self.mine, self.left, self.right), (self.other, self.right, self.left)):
            if not own:
                parts.append(f"{file} names nobody for this, so it confirms nothing")
            elif lacks := [one for one in others if one not in own]:
                parts.append(f"{file} does not name {_named(lacks, others)}")
        return "; ".join(parts) + ("" if self.result == SAME else f": {ASK[self.word]}")


def _named(which: Iterable[str], holders: Holders) -> str:
    """Return holders with their keys. The whole keys: eight letters of one can be made to fit."""
    return ", ".join(f"{one} {' and '.join(sorted(holders[one]))}".strip() for one in sorted(which))


def _keys(path: Path) -> dict[str, Holders]:
    """Return word of `trust.toml` → the holders that the file names. typer.BadParameter: the file is malformed."""
    data = source.file(path) or b""
    try:
        text = data if path.suffix == source.TOML else trust.imported(data).written()
        found = tomllib.loads(text.decode())
        if unknown := found.keys() - set(FIELDS):
            raise Malformed("trust", f"`{min(unknown)}` is no word of such a file: {', '.join(NEEDED)} are")
        if found.keys() >= set(NEEDED):
            witness_policy.parse(trust.read(text).witness_policy)
        return {word: _holders(word, found.get(word, OFF)) for word in NEEDED}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path}: it is no TOML, or names something twice: {error}") from None
    except Malformed as error:
        raise typer.BadParameter(f"{path}: {error}") from None


def _holders(word: str, value: Any) -> Holders:
    """Return the holders that one word of a file names. Malformed."""
    if value == OFF:
        return {}
    if word == RULES and isinstance(value, str):
        return dict(map(_rule, (line.split() for line in value.splitlines() if line.strip() and not line.startswith("#"))))
    named = {"": value} if word == "intake" else value
    if not isinstance(named, dict):
        raise Malformed("trust", f"`{word}` names nobody: write the line as its holder reads it out")
    return {holder: _held(word, keys) for holder, keys in named.items()}


def _rule(words: list[str]) -> tuple[str, frozenset[str]]:
    """Return a line of a C2SP policy file. The address of a witness differs by network, and is left out."""
    match words:
        case ["log", key, *_]:
            return "log", frozenset({key})
        case ["witness", name, key, *_]:
            return name, frozenset({key})
        case ["quorum", *rest]:
            return "quorum", frozenset({" ".join(rest)})
        case [first, *rest]:
            return " ".join((first, *rest[:1])), frozenset({" ".join(rest[1:])})
    raise Malformed("policy", "an empty line")


def _held(word: str, keys: Any) -> frozenset[str]:
    """Return the keys of one holder, without their ends. Malformed."""
    found = [keys] if isinstance(keys, str) else keys
    if not isinstance(found, list) or not found or not all(isinstance(key, str) and key for key in found):
        raise Malformed("trust", f"`{word}` names no key: write the line as its holder reads it out")
    return frozenset(key.partition(f" {UNTIL} ")[0] for key in found)
