"""Passwords of the database's roles: one file for each role, which only its owner may read, and the form in which the server stores one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from referral import file_rights
from referral.errors import Rejected
from referral.runtime import secret_file

FOLDER, FILE = "REFERRAL_DATABASE_PASSWORDS", "REFERRAL_DATABASE_PASSWORD_FILE"
SIZE = 24
"""Random bytes of a password that we make (ours): 192 bits, which nobody guesses."""
ROUNDS = 4096
"""Iterations of SCRAM-SHA-256: PostgreSQL's default. More would slow each connection, and a random password needs none."""


def read(path: Path, setting: str = FOLDER) -> str:
    """Return the password in a file. Rejected: no such file, an empty one, one that others may read, or not printable ASCII."""
    try:
        if file_rights.exposed(path):
            raise Rejected("open-password", setting, f"others than its owner may read the file: chmod 600 {path}, and change the password")
        password = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        password = ""
    if not password or not password.isprintable():
        raise Rejected("no-password", setting, f"{path} must be a readable file with one line of printable ASCII")
    return password


def ensure(folder: Path, roles: Iterable[str]) -> dict[str, str]:
    """Return role → password from the files of a folder; make missing ones. Rejected: a file is unfit, or two roles share a password."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for role in roles:
        if not (folder / role).exists():
            secret_file.write(folder / role, secrets.token_urlsafe(SIZE).encode() + b"\n")
    return known(folder, roles)


def known(folder: Path, roles: Iterable[str]) -> dict[str, str]:
    """Return role → password from the files of a folder. Rejected: a file is missing or unfit, or two roles share a password."""
    found = {role: read(folder / role) for role in roles}
    first: dict[str, str] = {}
    for role, password in found.items():
        if (other := first.setdefault(password, role)) != role:
            hint = f"{other} and {role} have the same password, so each could act as the other: remove one of the files and prepare again"
            raise Rejected("shared-password", FOLDER, hint)
    return found


def verifier(password: str) -> str:
    """Return what the server stores of a password (RFC 5803): nobody can log in with it, so a statement or a log may contain it."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    words = [base64.b64encode(part).decode() for part in (salt, stored, hmac.digest(salted, b"Server Key", "sha256"))]
    return f"SCRAM-SHA-256${ROUNDS}:{words[0]}${words[1]}:{words[2]}"
