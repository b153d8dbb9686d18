"""Define a channel: one way to hand a message to a person. E-mail, SMS, voice and the demo's handset share this interface.

A channel does one thing: it hands one message over, and says how that went. Everything else (time limit, lines, lease, retries, pace,
breaker, metrics, who is on duty) belongs to the sender. docs/channels.md holds a whole channel of 30 lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Word(StrEnum):
    """Answer of a person to a knock, by one key or digit. It never does more than acknowledge: a handset proves nobody's identity.

    LOOKS: key 1, I look at it. CANNOT: key 2, I cannot.
    """

    LOOKS = "LOOKS"
    CANNOT = "CANNOT"


NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
"""A telephone number of the world (ITU-T E.164): + and at most 15 digits."""
PAID = ("sms", "voice")
"""Channels of which somebody sends a bill."""
KEYS = {"1": Word.LOOKS, "2": Word.CANNOT}
"""Keys of a telephone and first digits of a reply. Digits need no language."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to hand over. It says that something waits, and never what.

    address: where to, as the channel writes it (`name@example.org`, `+38344123456`). It never leaves the channel's file.
    reference: random id, the same for every attempt at one knock.
    code: four digits that an answer must contain.
    language: of the words; one of message.WORDINGS.
    drill: the message says first that it is a drill.
    inbox: address of the sign-in page.
    answer: address of the page that takes an answer with the code; empty without such a page.
    at: its date, µs UTC.
    case: number of the case (domain.case_number), by which people name it on the telephone; empty: about no case.
    waiting: how many things the message stands for; an answer counts for all of them. urgent: what waits is.
    unconfirmed: all that waits is said by somebody whom nobody has called back yet.
    text: the watchman's words in place of those of a knock, to an operator; a call then speaks the watchman's prompt.
    """

    address: str = field(repr=False)
    reference: str
    code: str = field(repr=False)
    language: str
    drill: bool
    inbox: str
    answer: str = ""
    at: int = 0
    case: str = ""
    waiting: int = 1
    urgent: bool = False
    unconfirmed: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Handed:
    """A message that a server, or a person, has taken.

    word: what the person answered at once; None for a channel that does not wait. provider: name of the one that took it, of several.
    """

    word: Word | None = None
    provider: str = ""


class Refused(Exception):
    """This address takes no messages; do not retry. Holds a word of knock-reason, never an address or a server's words."""


class Unreached(Exception):
    """Nobody was reached this time; retry. Holds a word of knock-reason, never an address or a server's words.

    Whether the fault is ours (the server is away) or the person's (busy, no key pressed) is the word's: blame.OURS.
    """


class Unsure(Unreached):
    """The connection broke after the message may have left. A receipt may still arrive; without one it is sent again, with one code."""


class Channel(Protocol):
    """One connection to the outside, used by one delivery at a time and kept open in between."""

    async def open(self) -> None:
        """Get ready to send. Raises Unreached."""

    async def send(self, out: Outgoing) -> Handed:
        """Hand one message over. Raises Refused, Unreached or Unsure.

        Cancelling it must end what is under way: a call that nobody waits for hangs up.
        """

    async def close(self) -> None:
        """Close the connection; never raises."""
