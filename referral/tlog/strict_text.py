"""Parse lines, numbers and base64 from untrusted bytes. Python's own splitlines, int and b64decode accept more than the formats allow."""

from __future__ import annotations

import binascii
import re
from binascii import a2b_base64, b2a_base64

from referral.errors import Malformed

LIMIT = 2**63
"""Sizes, indexes and times are below this number, so that a signed 64-bit integer holds them in every language."""

_DECIMAL = re.compile(rb"0|[1-9][0-9]{0,18}")


def lines(data: bytes, reason: str) -> list[bytes]:
    """Return the lines of a text without their newlines. Only U+000A ends a line, and the last line needs one too. Malformed otherwise."""
    if not data.endswith(b"\n"):
        raise Malformed(reason, "the last line has no newline")
    return data[:-1].split(b"\n")


def decimal(word: bytes, reason: str, where: str) -> int:
    """Return a number without sign, space or leading zero. Malformed otherwise, and from 2^63 on."""
    if not _DECIMAL.fullmatch(word) or (value := int(word)) >= LIMIT:
        raise Malformed(reason, f"{where} is not a decimal number below 2^63 without leading zeros")
    return value


def unbase64(word: bytes, reason: str, where: str, size: int | None = None) -> bytes:
    """Decode standard base64 with padding, in its one canonical spelling. size: the required number of bytes. Malformed otherwise."""
    try:
        data = a2b_base64(word)
    except binascii.Error:
        data = b""
    if base64(data) != word:
        raise Malformed(reason, f"{where} is not canonical base64")
    if size is not None and len(data) != size:
        raise Malformed(reason, f"{where} has {len(data)} bytes instead of {size}")
    return data


def base64(data: bytes) -> bytes:
    """Encode in the standard alphabet with padding, in one line."""
    return b2a_base64(data, newline=False)


def utf8(data: bytes, reason: str, where: str) -> str:
    """Decode UTF-8 without control characters below U+0020. Malformed otherwise."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(reason, f"{where} is not UTF-8 at byte {error.start}") from None
    if any(character < " " for character in text):
        raise Malformed(reason, f"{where} holds a control character")
    return text
