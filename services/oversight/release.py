"""A release: the figures of closed periods and the record that makes them one. Values, their keys and their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from referral.domain.events import FigureReleased, ReleaseMade
from referral.wire import codec


class Release(Struct, frozen=True):
    """figures: in the order of their keys."""

    made: ReleaseMade
    figures: tuple[FigureReleased, ...]


def key(figure: FigureReleased) -> str:
    """What a figure is of, e.g. `2027-01/2027-03/trafficking-child/municipality/prizren`: a correction has the same key."""
    return "/".join((figure.first, figure.last, figure.pathway, figure.measure, figure.group))


def digest(figures: Sequence[FigureReleased]) -> str:
    """SHA-256 over their exact bodies, in this order."""
    return hashlib.sha256(b"".join(codec.encode(figure) for figure in figures)).hexdigest()
