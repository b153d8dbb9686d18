"""The arguments with which this process was called: a context variable, so that a command's act can say exactly which command it was."""

from __future__ import annotations

from contextvars import ContextVar

ARGUMENTS: ContextVar[tuple[str, ...]] = ContextVar("referral_arguments", default=())
"""Words after `referral`; empty where no shell has called a command."""
