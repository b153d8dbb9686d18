"""Row rights of the case file: PostgreSQL shows a transaction the sections and recorded texts of the cases that it has a permit for."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Kind

_ADMIT = text("SELECT set_config('referral.permit', :cases, true)")
WORKS = (Kind.SERVICE, Kind.OPERATOR)
"""Kinds whose permit is about no one case: they name the cases of their work."""


async def admit(tx: AsyncConnection, leave: Permit, cases: Iterable[str] = ()) -> None:
    """Let the statements that follow in this transaction see the rows of the permit's case, and of no case before.

    cases: of a permit about no case, which a service or an operator has. ValueError: nobody else names cases.
    """
    if not leave.case_id and leave.who.kind not in WORKS:
        raise ValueError("this permit is about no case")
    await tx.execute(_ADMIT, {"cases": leave.case_id or ",".join(cases)})
