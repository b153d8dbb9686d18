"""Open oversight's stored releases: a SQL row with exact Avro bodies, checked against its number and digest."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from msgspec import Struct, msgpack

from referral.domain.events import FigureReleased, Mark, ReleaseMade
from referral.errors import Malformed
from referral.wire import codec

T = TypeVar("T", bound=Struct)


class Published(Struct, frozen=True):
    """A published release. figures: in the order of their keys. at: when it was published, µs UTC."""

    made: ReleaseMade
    figures: tuple[FigureReleased, ...]
    at: int

    @property
    def number(self) -> int:
        """Return the release's number."""
        return self.made.release

    def __repr__(self) -> str:
        return f"Published({self.number})"


def opened(number: int, made: bytes, figures: bytes, at: int) -> Published:
    """Return the release in a row. Malformed: the row was changed, or belongs to another number."""
    try:
        bodies = msgpack.decode(figures, type=list[bytes])
    except ValueError:
        raise Malformed("release", f"release {number}: its figures are torn") from None
    release = Published(_body(ReleaseMade, made), tuple(_body(FigureReleased, body) for body in bodies), at)
    if release.number != number or any(figure.release != number for figure in release.figures) or release.made.figures != len(bodies):
        raise Malformed("release", f"release {number}: its figures are not its own")
    if hashlib.sha256(b"".join(bodies)).hexdigest() != release.made.digest:
        raise Malformed("release", f"release {number}: its figures have another digest")
    if any((figure.value is None) == (figure.mark is Mark.SHOWN) for figure in release.figures):
        raise Malformed("release", f"release {number}: a figure has a value that it must not have, or lacks one")
    return release


def _body(type_: type[T], data: bytes) -> T:
    name: str = type_.TYPE  # type: ignore[attr-defined]
    body = codec.decode(name, codec.fingerprint(name), data)
    assert isinstance(body, type_)
    return body
