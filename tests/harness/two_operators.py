"""Two operators and a stranger, for tests of what takes two."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from referral.proof.act import Act, State
from referral.runtime import secret_file
from referral.wire.signed import operator_word, trust_lines
from referral.wire.signed.operator_word import Operators, Word
from referral.wire.signed.trust_lines import Keyword

KEEPER, BESA, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (31, 32, 33))
"""The keys of two operators, and of somebody whom no policy names."""
KEYS = {name: key.public_key().public_bytes_raw() for name, key in (("keeper", KEEPER), ("besa", BESA))}
LINES = b"".join(trust_lines.key_line(Keyword.OPERATOR, name, public) for name, public in KEYS.items())
OPERATORS: Operators = trust_lines.operators(LINES)
FIRST, SECOND = "operator/keeper", "operator/besa"


def from_line(at: int) -> str:
    """The line that says from when on acts need two operators: those of this second need none. at: µs UTC."""
    return f"# two-operators-from {datetime.fromtimestamp(at // 1_000_000 + 1, UTC):%Y-%m-%dT%H:%M:%SZ}\n"


TERMS, SALT, AT = b'["staff password",[["login","arta.m"]]]', bytes(16), 1_800_000_000


def act(
    *,
    command: str = "staff password",
    by: str = FIRST,
    key: Ed25519PrivateKey = KEEPER,
    second: str = SECOND,
    other: Ed25519PrivateKey = BESA,
    to: str = "",
    given: str = "",
    salt: bytes = SALT,
    at: int = AT,
    said: int = AT,
    state: State = State.DONE,
    about: tuple[str, ...] = ("account:a1",),
) -> Act:
    """An act that two operators signed. to, given: operator and command of the word, if others. said: when it was given, seconds."""
    said_ = operator_word.give(other, to or by, given or command, TERMS, salt, said)
    word = Word(by=second, digest=said_.digest, until=said_.until, signature=said_.signature)
    plain = Act(id=salt.hex(), command=command, state=state, by=by, at=at * 1_000_000, arguments="0" * 64, about=about, second=word)
    return plain.signed(key)


def key_files(folder: Path) -> tuple[Path, Path, Path]:
    """Write the files of both operators' keys, and of the stranger's."""
    files = {name: folder / f"{name}.key" for name in ("keeper", "besa", "stranger")}
    for path, key in zip(files.values(), (KEEPER, BESA, STRANGER), strict=True):
        secret_file.write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files["keeper"], files["besa"], files["stranger"]
