"""Ask a second operator's word of each command that takes two (referral/wire/signed/operator_word.py has the list)."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, json, structs

from referral.ca import bundle
from referral.cli import call, console
from referral.errors import Malformed, Rejected
from referral.local import keyfiles
from referral.proof.act import Act
from referral.runtime.keys import case_keys
from referral.wire.signed import operator_word
from referral.wire.signed.operator_word import Message, Operators, Word

KEYS = "REFERRAL_OPERATOR_KEYS"
HERE = frozenset({"as_json", "ca", "export", "last", "out", "root_key", "word"})
"""Parameters that say where something lies on one operator's machine, or how it is shown: no part of what two agree on."""
CONTENTS = frozenset({"request", "trust_file"})
"""Parameters that name a file, which is what two agree on; - is standard input."""
LONGEST = bundle.LONGEST + 1


class Pair(Struct, frozen=True):
    """Both operators of an act. by: the first, operator/NAME. key: their own. word: the second's."""

    by: str
    key: Ed25519PrivateKey
    word: Word

    def signed(self, act: Act) -> Act:
        """Return the act with the second operator's word and the first one's signature."""
        return structs.replace(act, second=self.word).signed(self.key)

    def told(self) -> dict[str, Any]:
        """Return the word, for the file of an authority that reaches no log."""
        return {"second": self.word.by, "digest": self.word.digest, "until": self.word.until, "signature": self.word.signature.hex()}


def terms(command: str, parameters: Mapping[str, Any]) -> bytes:
    """Return what two operators agree on: the command, and each parameter that does not only say where something lies."""
    agreed = [(name, _written(name, value)) for name, value in sorted(parameters.items()) if name not in HERE]
    return json.encode((command, agreed))


def _written(name: str, value: object) -> object:
    if name in CONTENTS:
        return operator_word.digest(b"", b"".join(content(Path(str(value))).split()))  # mail changes the ends of lines
    if isinstance(value, list | tuple):
        return [_written("", one) for one in value]
    return value if value is None or isinstance(value, bool) else str(value)


def content(path: Path) -> bytes:
    """Return the content of a file or of standard input."""
    return call.standard_input(LONGEST) if str(path) == "-" else path.read_bytes()


def pair(operators: Operators, keys: Sequence[Path], command: str, about: tuple[str, ...], *, by: str, text: str, now: int) -> Pair | None:
    """Return both operators of the command that runs; None: it takes one, or operators are off.

    operators: whom `trust.toml` names. keys: files of the first operator's own key; a local stack's, which has one person, has both.
    by: the first operator, operator/NAME; empty: whose key it is. text: the word, as a line. now: seconds UTC.
    Rejected: nobody else's word for exactly this is here, or it has ended.
    """
    if not operator_word.by_two(command, about) or not operators.keys:
        return None
    if not keys:
        raise Rejected("missing", KEYS, "this takes two operators: set it to the file of your own key (`referral operator key`)")
    own = _key(keys[0])
    by = by or _holder(operators, own)
    if operators.keys.get(by) != own.public_key().public_bytes_raw():
        what = f"`trust.toml` names no such key for {by or 'you'}: see its lines `operators.NAME` (REFERRAL_TRUST)"
        raise Rejected("not-operator", KEYS, what)
    agreed = terms(command, call.PARAMETERS.get())
    if text:
        message = _read(by, text)
    elif len(keys) > 1:
        message = operator_word.give(_key(keys[-1]), by, command, agreed, os.urandom(operator_word.SALT), now)
    else:
        raise _refused(by, "this takes two operators")
    word = operator_word.taken(operators, by, command, message)
    if what := operator_word.refusal(by, agreed, message, word, now):
        raise _refused(by, what)
    return Pair(by, own, word)


def used(by: str) -> Rejected:
    """Return the refusal of a word that an act has used."""
    return _refused(by, "the word was used before, and is good once")


def _refused(by: str, what: str) -> Rejected:
    return Rejected("second-operator", "--word", f"{what}. Ask another operator to run `{asked(by)}` and to send you its line")


def asked(by: str) -> str:
    """Return the command by which another operator gives the word for the one that runs. by: who runs it."""
    return f"referral operator word {by.rpartition('/')[2]} --key FILE -- {shlex.join(arguments())}"


def arguments() -> tuple[str, ...]:
    """Return the arguments of the command that runs, without a second operator's word."""
    words, kept = list(call.ARGUMENTS.get()), list[str]()
    while words:
        word = words.pop(0)
        if word == "--word":
            del words[:1]
        elif not word.startswith("--word="):
            kept.append(word)
    return tuple(kept)


def _holder(operators: Operators, key: Ed25519PrivateKey) -> str:
    public = key.public_key().public_bytes_raw()
    return next((name for name, known in operators.keys.items() if known == public), "")


def _read(by: str, text: str) -> Message:
    try:
        return operator_word.read(text)
    except Malformed:
        raise _refused(by, "this is not the line of a word") from None


def _key(path: Path) -> Ed25519PrivateKey:
    try:
        return case_keys.signing(path)
    except Rejected:
        raise Rejected("no-key", KEYS, f"{path} holds no Ed25519 key, or cannot be read: `referral operator key` makes one") from None


def show_own_key(file: Path, as_json: bool, line: Callable[[bytes], str], **holder: str) -> int:
    """Show the line of `trust.toml` for the key in a file, made if it is not there. typer.BadParameter: the file cannot be used.

    line: makes it of the public key.
    """
    try:
        text = line(keyfiles.intake(file)).removesuffix("\n")
    except (OSError, Rejected):
        raise typer.BadParameter(f"{file}: it cannot be written, or is no Ed25519 key") from None
    return console.answer(as_json, {**holder, "line": text}, text)
