"""The arguments with which this process was called: context variables, so that a command's act can say exactly which command it was."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

ARGUMENTS: ContextVar[tuple[str, ...]] = ContextVar("referral_arguments", default=())
"""Words after `referral`; empty where no shell has called a command."""
PARAMETERS: ContextVar[Mapping[str, Any]] = ContextVar("referral_parameters", default={})  # noqa: B039 - nobody changes it
"""Name of each parameter of the command → its value, defaults too."""
INPUT: ContextVar[bytes | None] = ContextVar("referral_input", default=None)
"""Standard input, once it was read."""


def standard_input(most: int) -> bytes:
    """Return standard input, up to so many bytes; a command and the word for it both read it."""
    if (data := INPUT.get()) is None:
        INPUT.set(data := sys.stdin.buffer.read(most))
    return data
