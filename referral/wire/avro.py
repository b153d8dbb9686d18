"""Read and write the primitives of Avro's binary encoding for the compiled codecs: strict, and canonical in both directions.

Avro allows several encodings of one value (longer numbers, blocks of an array, order of a map). We write one of them and read only
that one, so a decoded value always encodes to the same bytes again. Readers take (data, position) and return (value, next
position); they raise ValueError or IndexError, which the codec turns into Malformed. https://avro.apache.org/docs/1.11.1/specification/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Never, TypeVar

T = TypeVar("T")
Reader = Callable[[bytes, int], tuple[T, int]]

# A word of a code list: visible ASCII, so that no sentence, no name with a space and no Albanian or Serbian letter fits. One length byte.
CODE = re.compile(rb"[\x21-\x7e]{0,63}")
# A SHA-256 in hex has 64 characters, and the key of a map may be a path below policy/.
LONG_CODE = re.compile(rb"[\x21-\x7e]{0,200}")
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ID = re.compile(rb"\x48" + UUID.encode())
is_id = re.compile(UUID).fullmatch
ID_WIDTH = 37
# A number of up to ten bytes, of which only the last is below 0x80.
VARIABLE = re.compile(rb"[\x80-\xff]{0,9}[\x00-\x7f]")
# Words and times repeat from record to record. A full cache is cleared; 4096 entries take less than 1 MB.
CACHE = 4096
BOOLEANS = {0: False, 1: True}
BOOLEAN_BYTES = {False: b"\x00", True: b"\x01"}


def fail(what: str) -> Never:
    """Raise the ValueError that codec turns into Malformed. what: its text, which never contains a value that was read."""
    raise ValueError(what)


class _Words(dict[bytes, str]):
    """A cache: length and bytes of a code → the code, checked once. Refuses a key whose first byte is another length."""

    def __missing__(self, data: bytes) -> str:
        if not CODE.fullmatch(data, 1) or data[0] != 2 * (len(data) - 1):
            fail("a code is at most 63 visible ASCII characters")
        if len(self) >= CACHE:
            self.clear()
        word = self[data] = data[1:].decode("ascii")
        return word


class _Coded(dict[str, bytes]):
    """A cache: code → its length and bytes, checked once."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        super().__init__()
        self.pattern = pattern

    def __missing__(self, word: str) -> bytes:
        data = word.encode("utf-8", "replace")
        if not word.isascii() or not self.pattern.fullmatch(data):
            fail(f"a code is visible ASCII characters, as many as {self.pattern.pattern.decode()} says")
        if len(self) >= CACHE:
            self.clear()
        coded = self[word] = INTS[len(data)] + data
        return coded


class _Numbers(dict[int, bytes]):
    """A cache: number → its bytes: zigzag, seven bits per byte, least significant first."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.limit = 1 << (bits - 1)

    def __missing__(self, number: int) -> bytes:
        if not isinstance(number, int) or not -self.limit <= number < self.limit:
            fail("a number that Avro's int or long cannot hold")
        rest = number << 1 if number >= 0 else ~(number << 1)
        out = bytearray()
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
        if len(self) >= CACHE:
            self.clear()
        coded = self[number] = bytes(out)
        return coded


WORDS = _Words()
CODES = _Coded(CODE)
LONG_CODES = _Coded(LONG_CODE)
INTS = _Numbers(32)
LONGS = _Numbers(64)


def wide(data: bytes, i: int) -> tuple[int, int]:
    """Read a number without undoing zigzag: below 2**64 and in its shortest form."""
    n = shift = 0
    while (byte := data[i]) > 0x7F:
        n |= (byte & 0x7F) << shift
        shift += 7
        i += 1
        if shift > 63:
            fail("a number longer than 64 bits")
    if not byte and shift:
        fail("a number that is not in its shortest form")
    n |= byte << shift
    if n >> 64:
        fail("a number longer than 64 bits")
    return n, i + 1


class _Longs(dict[bytes, int]):
    """A cache: bytes of a long → the number; a batch has few different times and fingerprints."""

    def __missing__(self, data: bytes) -> int:
        n, _ = wide(data, 0)
        if len(self) >= CACHE:
            self.clear()
        number = self[data] = (n >> 1) ^ -(n & 1)
        return number


READ_LONGS = _Longs()


def long(data: bytes, i: int) -> tuple[int, int]:
    """Read a long."""
    match = VARIABLE.match(data, i)
    if match is None:
        fail("a number that is truncated or longer than 64 bits")
    return READ_LONGS[match[0]], match.end()


def int32(data: bytes, i: int) -> tuple[int, int]:
    """Read an int, which is a long within 32 bits."""
    n, i = wide(data, i)
    if n >> 32:
        fail("an int longer than 32 bits")
    return (n >> 1) ^ -(n & 1), i


def size(data: bytes, i: int) -> tuple[int, int]:
    """Read a length or count, at most as large as the rest of the data: every item takes at least one byte (lint: no zero-width items)."""
    n, i = wide(data, i)
    if n & 1 or n >> 1 > len(data) - i:
        fail("a length that is negative or beyond the end")
    return n >> 1, i


def boolean(data: bytes, i: int) -> tuple[bool, int]:
    """Read a boolean: one byte, 0 or 1."""
    if data[i] > 1:
        fail("a boolean is 0 or 1")
    return data[i] == 1, i + 1


def code(data: bytes, i: int) -> tuple[str, int]:
    """Read a word of a code list that is a value of a map."""
    end = i + 1 + (data[i] >> 1)
    return WORDS[data[i:end]], end


def long_code(data: bytes, i: int) -> tuple[str, int]:
    """Read a digest, or the key of a map."""
    n, i = size(data, i)
    word = data[i : i + n]
    if not LONG_CODE.fullmatch(word):
        fail("a digest or key is at most 200 visible ASCII characters")
    return word.decode("ascii"), i + n


def ident(data: bytes) -> str:
    """Return the id in its 37 bytes, length and text: a UUID in lower case with hyphens, so that equal ids have equal bytes."""
    if not ID.fullmatch(data):
        fail("an id is a UUID in lower case")
    return data[1:].decode("ascii")


def ident_at(data: bytes, i: int) -> tuple[str, int]:
    """Read an id that is an item of an array."""
    return ident(data[i : i + ID_WIDTH]), i + ID_WIDTH


def ident_bytes(text: str) -> bytes:
    """Write an id."""
    if is_id(text) is None:
        fail("an id is a UUID in lower case")
    return b"\x48" + text.encode("ascii")


class Idents(dict[str, bytes]):
    """A cache for one batch, in which ids recur: id → its bytes, checked once."""

    def __missing__(self, text: str) -> bytes:
        coded = self[text] = ident_bytes(text)
        return coded


def blob(data: bytes, i: int) -> tuple[bytes, int]:
    """Read bytes of any length."""
    n, i = size(data, i)
    return data[i : i + n], i + n


def blob_bytes(value: bytes) -> bytes:
    """Write bytes, their length before them."""
    return LONGS[len(value)] + value


def fixed(data: bytes, i: int, width: int) -> tuple[bytes, int]:
    """Read bytes of a known length."""
    if i + width > len(data):
        fail("truncated")
    return data[i : i + width], i + width


def fixed_bytes(value: bytes, width: int) -> bytes:
    """Write bytes of a known length."""
    if len(value) != width:
        fail("bytes of another length than their type")
    return value


def codes(data: bytes, i: int) -> tuple[tuple[str, ...], int]:
    """Read an array of codes that is not empty: one block."""
    count = data[i] >> 1
    if data[i] & 0x81:
        count, i = size(data, i)
    else:
        i += 1
    words = []
    for _ in range(count):
        words.append(WORDS[data[i : (i := i + 1 + (data[i] >> 1))]])
    if data[i]:
        fail("an array of more than one block")
    return tuple(words), i + 1


def many(data: bytes, i: int, item: Reader[T]) -> tuple[tuple[T, ...], int]:
    """Read an array of any items: one block, or none if it is empty."""
    count, i = size(data, i)
    if not count:
        return (), i
    items = []
    for _ in range(count):
        value, i = item(data, i)
        items.append(value)
    if data[i]:
        fail("an array of more than one block")
    return tuple(items), i + 1


def mapping(data: bytes, i: int, item: Reader[T]) -> tuple[dict[str, T], int]:
    """Read a map: one block, its keys in ascending order, so that equal maps have equal bytes."""
    count, i = size(data, i)
    items: dict[str, T] = {}
    if not count:
        return items, i
    last: str | None = None
    for _ in range(count):
        key, i = long_code(data, i)
        if last is not None and key <= last:
            fail("keys of a map that are not in ascending order")
        last = key
        items[key], i = item(data, i)
    if data[i]:
        fail("a map of more than one block")
    return items, i + 1


class _Arrays(dict[tuple[str, ...], bytes]):
    """A cache: array of codes → its bytes, checked once; every offer of a policy repeats its ladders and lists."""

    def __missing__(self, words: tuple[str, ...]) -> bytes:
        coded = many_bytes(words, CODES.__getitem__)
        if len(self) >= CACHE:
            self.clear()
        self[words] = coded
        return coded


ARRAYS = _Arrays()


def codes_bytes(words: tuple[str, ...]) -> bytes:
    """Write an array of codes."""
    return ARRAYS[words]


def many_bytes(items: tuple[T, ...], write: Callable[[T], bytes]) -> bytes:
    """Write an array of any items. Only a tuple is accepted: a string would be split into letters."""
    if type(items) is not tuple:
        fail("an array is a tuple")
    if not items:
        return b"\x00"
    return b"".join([INTS[len(items)], *map(write, items), b"\x00"])


def mapping_bytes(items: Mapping[str, T], write: Callable[[T], bytes]) -> bytes:
    """Write a map, its keys in ascending order."""
    keys = sorted(items.keys())
    if not keys:
        return b"\x00"
    return b"".join([INTS[len(keys)], *(LONG_CODES[key] + write(items[key]) for key in keys), b"\x00"])


def symbol(table: Mapping[int, Any]) -> Reader[Any]:
    """Return a reader of an enum that is an item of an array or map."""
    return lambda data, i: (table[data[i]], i + 1)
