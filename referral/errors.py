"""What can go wrong, told by what the caller must do. The docstrings are what an operator reads; everything else is a bug."""

from __future__ import annotations


class Rejected(Exception):
    """The input is wrong and sending it again will not help: correct it at `where`, as `hint` says.

    code: a stable word that a program may branch on. where: a JSON path, form field, file:line, or topic position.
    status: the HTTP status of the same answer. Never holds a value that was sent, because values may be about a person.
    """

    def __init__(self, code: str, where: str, hint: str, *, status: int = 422) -> None:
        super().__init__(f"{code} at {where}: {hint}" if where else f"{code}: {hint}")
        self.code = code
        self.where = where
        self.hint = hint
        self.status = status


class Unavailable(Exception):
    """Something we need is away; nothing was kept. Send the same again after `retry_after` seconds."""

    def __init__(self, what: str, retry_after: int = 5) -> None:
        super().__init__(f"{what} is away; try again in {retry_after} s")
        self.what = what
        self.retry_after = retry_after


class Fenced(Exception):
    """Another instance owns this work now. Drop what is in memory, own again, and read from its positions."""


class Misfit(Exception):
    """This process and this database do not belong together; the text says why. Nothing was touched: correct the settings."""


class ReadOnly(Misfit):
    """This process may write nothing more; its doors go on showing what there is. The text says why, and readiness too."""


class Malformed(Exception):
    """Bytes that are not what they claim to be. `reason` is a stable word; quarantined once, never applied."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Unproven(Malformed):
    """Well-formed, but what it claims does not hold: a signature, a proof, a quorum or a hash. Trust nothing of it; say so to a person."""


class NewerVersion(Exception):
    """A known type in a version that this program does not ship: deploy consumers first. The reader stops, nothing is skipped."""
