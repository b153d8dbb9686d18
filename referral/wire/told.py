"""Encode the question that intake asks the notifier, "who was told of these offers and tasks?", and its answer: counts and times.

Neither names a person, an account, a number or an agency. The question is signed as a whole (`Keys.told`), so no secret travels with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from referral.errors import Malformed

PATH = "/told"
MOST_ASKED = 150
"""Offers and tasks of one question (ours): three groups of the inbox, of 50 cards each."""
MOST_BYTES = 40 * MOST_ASKED + 2
"""Most bytes of a question: an id has 36 characters, beside quotes and a comma."""
MOST_ANSWER = 380 * MOST_ASKED
"""Most bytes of an answer (ours): all fields of one take 350 bytes, with the largest numbers that JSON carries exactly."""


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The people to whom messages about one offer or task go at its present rung, each counted once.

    rung: that rung.
    silent: their telephone was called, and nobody pressed a key.
    delivered: a message has arrived at their handset; delivered_at: the latest, µs UTC.
    sent: a server has taken a message, and does not report whether it arrived; sent_at: the latest, µs UTC.
    cannot: they have answered "I cannot".
    lost: no channel reaches them.
    waits: no message to them was sent yet: it is not due, or our channels are away.
    next_at: when the next message is due, µs UTC; None: none is planned.
    paused: an operator has switched sending off.
    blocked: their answers by SMS do not count just now: too many wrong digits came from their number, or from who forges it.
    """

    rung: int = 0
    delivered: int = 0
    delivered_at: int | None = None
    sent: int = 0
    sent_at: int | None = None
    silent: int = 0
    cannot: int = 0
    lost: int = 0
    waits: int = 0
    next_at: int | None = None
    paused: bool = False
    blocked: int = 0

    @property
    def people(self) -> int:
        """Number of people who were told: a message was sent to them, or their telephone rang."""
        return self.delivered + self.sent + self.silent + self.cannot


_IDS = msgspec.json.Decoder(list[str])
_TOLD = msgspec.json.Decoder(dict[str, Told])


def question(ids: Iterable[str]) -> bytes:
    """Return the question about these offers and tasks."""
    return msgspec.json.encode(list(ids))


def asked(question: bytes) -> list[str]:
    """Return the ids of a question. Malformed: it is none, or has more than MOST_ASKED."""
    try:
        ids = _IDS.decode(question)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed("question", "it is no list of ids") from None
    if len(ids) > MOST_ASKED:
        raise Malformed("question", f"it has more than {MOST_ASKED} ids")
    return ids


def answer(told: Mapping[str, Told]) -> bytes:
    """Return the answer: an id that the notifier does not know is absent."""
    return msgspec.json.encode(told)


def answered(answer: bytes) -> dict[str, Told]:
    """Return what an answer says, by id. Malformed: it is none. Fields that a newer notifier adds are passed over."""
    try:
        return _TOLD.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed("answer", "the notifier's answer cannot be read") from None
