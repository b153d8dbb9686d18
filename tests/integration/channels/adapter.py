"""Define what the contract suite asks of a channel and its server; one for each channel stands in adapters.py."""

from __future__ import annotations

from abc import ABC, abstractmethod

from referral.channels import Channel

QUOTED = "the server quotes"
"""Begins whatever a test's server says about an address; nothing of it may leave a channel."""


class Adapter(ABC):
    """One channel and its server. A new one accepts.

    address: of a made-up person, in the channel's own writing. marker: the part of it that no log line may contain. limit: of its lane
    where the server hangs, s: long enough that a server which does not hang answers in it, on a machine that does much else.
    """

    address: str
    marker: str
    limit = 3.0

    @abstractmethod
    def channel(self) -> Channel:
        """Return a new channel to the server."""

    @abstractmethod
    def taken(self) -> int:
        """Return how many messages the server has taken for good."""

    @abstractmethod
    def under_way(self) -> int:
        """Return how many messages the server has begun and not ended: an open transaction, a ringing call."""

    @abstractmethod
    async def accept(self) -> None:
        """Take every message."""

    @abstractmethod
    async def refuse(self) -> None:
        """Say that this address takes no messages, and quote it."""

    @abstractmethod
    async def away(self) -> None:
        """Be unreachable."""

    @abstractmethod
    async def hang(self) -> None:
        """Take the connection, and never answer."""

    @abstractmethod
    async def die(self) -> None:
        """Take the message, and break the connection instead of the answer."""
