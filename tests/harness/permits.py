"""Permits for tests that call the functions of a case themselves: each is made by the table, as at a door."""

from __future__ import annotations

from referral.domain.authority.matrix import Permit, Who, permit
from referral.domain.authority.words import Act, Kind, Relation, State
from referral.runtime import authority
from services.intake.casefile import access

ROUTING = access.without_case(Who(Kind.SERVICE), Act.FOLLOW_ROUTING)
"""Permit of intake's loop, which stores what routing has decided."""
RESTORED = access.without_case(Who(Kind.SERVICE), Act.HIDE_ERASED)
"""Permit of what hides erased cases again after a restore."""


def leave(
    act: Act, case_id: str, agency: str, account: str | None = None, *, kind: Kind = Kind.SYSTEM, is_: Relation = Relation.HOLDER
) -> Permit:
    """Return the permit of somebody who stands so to an open case."""
    return access.granted(permit(authority.declared(), Who(kind, agency, account), act, (is_,), State.OPEN, case_id))


def desk(act: Act, case_id: str, account: str, agency: str = "desk-prizren") -> Permit:
    """Return the permit of a person of the case's desk."""
    return leave(act, case_id, agency, account, kind=Kind.DESK, is_=Relation.DESK_NOW)


def own(agency: str, account: str | None = None) -> Permit:
    """Return the permit of an agency's system, or of a person, to find what is their own."""
    return access.own(Who(Kind.SYSTEM if account is None else Kind.STAFF, agency, account))
