"""Define a release: the figures of closed periods and the record that completes them, with their keys and digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from referral.domain.events import FigureReleased, ReleaseMade
from referral.wire import codec


class Release(Struct, frozen=True):
    """One release. figures: in the order of their keys."""

    made: ReleaseMade
    figures: tuple[FigureReleased, ...]


def key(figure: FigureReleased) -> str:
    """Return the key of a figure, e.g. `2027-01/2027-03/trafficking-child/municipality/prizren`; a correction has the same key."""
    return "/".join((figure.first, figure.last, figure.pathway, figure.measure, figure.group))


def digest(figures: Sequence[FigureReleased]) -> str:
    """Return the SHA-256 over the exact bodies of these figures, in this order."""
    return hashlib.sha256(b"".join(codec.encode(figure) for figure in figures)).hexdigest()
