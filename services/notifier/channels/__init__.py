"""Define a channel: one way to reach a person. E-mail is the first; telephones will use the same interface."""

from __future__ import annotations

from typing import Protocol

from services.notifier.message import Message


class Refused(Exception):
    """This address takes no messages; do not retry. Holds a word of knock-reason, never an address or a server's words."""


class Unreached(Exception):
    """The channel is away or asks to retry later: retry. Holds a word of knock-reason, never an address or a server's words."""


class Channel(Protocol):
    """One connection to the outside, used by one delivery at a time and kept open in between."""

    async def open(self) -> None:
        """Get ready to send. Raises Unreached."""

    async def send(self, address: str, message: Message, reference: str, at: int) -> None:
        """Send one message. reference: the same for every attempt at one knock. at: its date, µs UTC. Raises Refused or Unreached."""

    async def close(self) -> None:
        """Close the connection; never raises."""
