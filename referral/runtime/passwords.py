"""Rules for logins and passwords, and the stored hash of a password: shared by the account commands and the sign-in. Pure but for salt."""

from __future__ import annotations

import re
import unicodedata

import argon2

from referral.errors import Rejected

PASSWORD_MIN = 12
"""Shortest password in characters (NIST SP 800-63B asks for 8 beside a second factor; there is none yet)."""
PASSWORD_MAX = 256
"""Longest password in characters, so that a long one costs no extra work to hash (ours)."""
LOGIN_MAX = 100
"""Longest login in characters (ours)."""
NEW_LOGIN = re.compile(r"[a-z0-9.-]+")
"""Form of a new login: another script has letters that look like these, as the Cyrillic р and о."""
LANGUAGES = ("sq", "sr-Latn", "sr-Cyrl", "en")
"""Languages of accounts, pages and knocks, as BCP 47 writes them."""


def hasher() -> argon2.PasswordHasher:
    """Return Argon2id with RFC 9106's second recommended option (64 MiB, three passes, four lanes): about 50 ms. Its only definition."""
    return argon2.PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16)


def composed(password: str) -> str:
    """Return a password in Unicode's NFC: one keyboard sends ë as one character, another as two. Nothing else about it is changed."""
    return unicodedata.normalize("NFC", password)


def hashed(password: str) -> str:
    """Return the hash to store for a password. Takes about 50 ms of processor time."""
    return hasher().hash(composed(password))


def checked(password: str) -> str:
    """Return the password unchanged. Rejected: too short or too long."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise Rejected("bad-password", "password", f"{PASSWORD_MIN} to {PASSWORD_MAX} characters")
    return password


def new_login(typed: str) -> str:
    """Return the login of a new account as it is stored. Rejected: anything but small Latin letters, digits, dots and hyphens, so that no
    login looks like another one. Accounts that were made before keep theirs, and sign in with it."""
    name = login(unicodedata.normalize("NFKC", typed))
    if not NEW_LOGIN.fullmatch(name):
        raise Rejected("bad-login", "login", "small letters from a to z without marks, digits, dots and hyphens: besa.k")
    return name


def login(typed: str) -> str:
    """Return a login as it is stored: lower case, without spaces around it. Rejected: empty, too long, or with spaces inside."""
    name = typed.strip().lower()
    if not 0 < len(name) <= LOGIN_MAX or any(letter.isspace() for letter in name):
        raise Rejected("bad-login", "login", f"1 to {LOGIN_MAX} characters without spaces")
    return name


def language(code: str) -> str:
    """Return the language code unchanged. Rejected: not one of LANGUAGES."""
    if code not in LANGUAGES:
        raise Rejected("unknown-code", "language", f"use one of: {', '.join(LANGUAGES)}")
    return code
