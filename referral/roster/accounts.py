"""Log each change that somebody makes to another person's inbox account, as an event on intake's topic, in the transaction of the change.

The inbox's pages and the commands call it. What a person does to the own account (password, language) is in no log of cases.
"""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import AccountChanged
from referral.domain.inputs import ROSTER_BOOK
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock, queue

_INTAKE = text("SET LOCAL search_path = intake, runtime")


class Made(StrEnum):
    """Change of an account: words of the code list account-change.

    ADDED: an operator made it with a password. INVITED: it was made for its owner, or its unused code was replaced.
    """

    ADDED = "added"
    INVITED = "invited"
    HEAD = "head"
    NO_HEAD = "no-head"
    OFF = "off"
    ON = "on"


async def log(tx: AsyncConnection, keys: Keys, *, agency: str, account: str, made: Made, by: str, drill: bool) -> None:
    """Log a change. by: the head's account, or an operator's pseudonym (`log.pseudonym`). drill: the database belongs to a drill."""
    event = AccountChanged(at=await clock.now(tx), agency=agency, account=account, change=made.value, changed_by=by)
    key = await keys.book(tx, ROSTER_BOOK)
    await tx.execute(_INTAKE)
    id_ = str(uuid.uuid4())  # noqa: TID251 - a change begins here
    await queue.put(tx, ROSTER_BOOK, event, id_, key, drill=drill)
