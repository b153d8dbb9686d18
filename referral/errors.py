"""Exceptions, one class for each thing that a caller must do about an error. Every other exception is a bug.

Operators read these docstrings.
"""

from __future__ import annotations

RETRY_AFTER_S = 2
"""Seconds until what was not kept may be sent again (ours): another database server or broker takes over within 3 to 5 s, and a sender
that is told to wait as long as that adds its own wait to theirs."""


class Rejected(Exception):
    """The input is wrong and sending it again will not help: correct it at `where`, as `hint` says.

    code: a stable word that a program may branch on.
    where: a JSON path, form field, file:line, or topic position.
    status: the HTTP status of the same answer.

    The text never contains a value that was sent, because values may be about a person.
    """

    def __init__(self, code: str, where: str, hint: str, *, status: int = 422) -> None:
        super().__init__(f"{code} at {where}: {hint}" if where else f"{code}: {hint}")
        self.code = code
        self.where = where
        self.hint = hint
        self.status = status


class Unavailable(Exception):
    """A server or service that we need is away; nothing was stored. Send the same again after `retry_after` seconds."""

    def __init__(self, what: str, retry_after: int = RETRY_AFTER_S) -> None:
        super().__init__(f"{what} is away; try again in {retry_after} s")
        self.what = what
        self.retry_after = retry_after


class TooOften(Exception):
    """Somebody asks so often that others would have to wait; nothing was done. Ask again after `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"too often; ask again in {wait:.1f} s")
        self.wait = wait


class Fenced(Exception):
    """Another instance owns this work now. Drop the state in memory, claim units again, and read from their stored positions."""


class Misconfigured(Exception):
    """This process is configured for another database, or for a drill; the text says why. Nothing was changed: correct the settings."""


class ReadOnly(Misconfigured):
    """This process may not write any more; its HTTP servers still show what is stored. The text and /readyz say why."""


class Malformed(Exception):
    """Bytes are not what they claim to be. `reason` is a stable word. The reader quarantines them once and never applies them."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Unproven(Malformed):
    """A signature, a proof, a quorum or a hash is well-formed and wrong. Trust nothing that it covers, and report it to a person."""


class NewerVersion(Exception):
    """A record has a known type in a version that this program lacks: deploy consumers first. The reader stops and skips nothing."""
