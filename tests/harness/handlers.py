"""A handler made of functions, for a tiny service of a test."""

from __future__ import annotations

from dataclasses import dataclass

from referral.runtime.service import Handle


@dataclass(frozen=True)
class Functions:
    """The handler of a service that exists only in a test."""

    handle: Handle
    fallback: Handle | None = None
