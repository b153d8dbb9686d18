"""The form of the vectors of docs/log-format.md: what a good and a bad one hold, and how a file of them is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, json, structs

T = TypeVar("T", bound=Struct)
Vector = dict[str, Any]
FOLDER = Path(__file__).parent / "log-format"


class VectorFile(Struct, frozen=True):
    """The content of one file. section: of the page."""

    section: str
    vectors: Sequence[Vector]

    def encode(self) -> bytes:
        return json.format(json.encode(plain(structs.asdict(self))), indent=1) + b"\n"


def good(name: str, **held: Any) -> Vector:
    """Return a vector that a reader accepts."""
    return {"name": name, "good": True, **held}


def bad(name: str, why: str, base: str = "", **held: Any) -> Vector:
    """Return a vector that a reader refuses. base: name of the good one that it was made from."""
    return {"name": name, "good": False, "why": why, **({"base": base} if base else {}), **held}


def secret(byte: int) -> Ed25519PrivateKey:
    """Return a key that is plainly made up: its seed is one byte 32 times."""
    return Ed25519PrivateKey.from_private_bytes(bytes([byte]) * 32)


def public(byte: int) -> bytes:
    return secret(byte).public_key().public_bytes_raw()


def each_field(base: T, others: Mapping[str, Any]) -> Iterator[tuple[str, T]]:
    """Yield for each field of a struct its name, and the struct with another value there. A new field needs one in `others`."""
    for one in structs.fields(base):
        if one.name not in others:
            raise KeyError(f"{type(base).__name__}.{one.name} is new: give it a value here, and a row in docs/log-format.md")
        yield one.name, structs.replace(base, **{one.name: others[one.name]})


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: bytes are hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Struct):
        return {one.encode_name: plain(getattr(value, one.name)) for one in structs.fields(value)}
    return value
