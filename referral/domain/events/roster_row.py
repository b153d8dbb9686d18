"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from typing import ClassVar

from referral.domain.value import Value


class RosterRow(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the roster that began or ended with a change. Nothing about a person but the id of an account; never an address."""

    IDS: ClassVar[tuple[str, ...]] = ("account",)

    part: str
    """person, contact, weekly, single, absence or pause."""
    number: int
    """Number of the row within its part; the row that ends has the number with which it began."""
    ended: bool
    """False: it holds from the change on. True: it holds no longer."""
    agency: str
    """The agency; empty for a pause, which is everybody's."""
    account: str | None = None
    """The inbox account; null for a pause."""
    rungs: tuple[str, ...]
    """Of a person those registered for, of a shift its one; else none."""
    channel: str
    """Of a contact; else empty."""
    disabled: bool
    """Of a person: is not knocked."""
    weekday: int
    """Of a weekly shift, 0 is Monday; else -1."""
    start_minute: int
    """Of a weekly shift: minutes after that day's midnight, wall clock in Europe/Belgrade; else 0."""
    end_minute: int
    """Of a weekly shift, may lie on a later day; else 0."""
    since: str
    """First day on which a weekly shift begins, e.g. 2026-12-01; empty is unlimited."""
    until: str
    """Last day on which it begins; empty is unlimited."""
    starts: int | None = None
    """Of a single shift or an absence: its begin."""
    ends: int | None = None
    """Its end."""
