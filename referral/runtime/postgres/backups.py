"""Read when the last good backup was taken, and how much of the write-ahead log the archive and each standby have not got.

The role that takes backups carries the time of the last one (deploy/postgres/backup.sh), which every role sees. Each reader of the log has
a slot, which audit sees.
"""

from __future__ import annotations

import math

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

ARCHIVE = "archive"
"""Slot of the archive (deploy/postgres/archive.sh)."""
TAKEN = text(
    "SELECT (extract(epoch FROM clock_timestamp()) - max(split_part(setting, '=', 2)::bigint))::float8"
    " FROM pg_roles CROSS JOIN unnest(rolconfig) AS setting WHERE setting LIKE 'referral.backup=%'"
)
SLOTS = text("SELECT slot_name, waiting FROM runtime.slots() ORDER BY slot_name")


class Backups(Struct, frozen=True, kw_only=True):
    """age_s: of the last good backup; None: none was ever taken.

    waiting: slot → bytes of the log that its reader has not got; infinite where nobody ever read, or the server keeps them no longer.
    """

    age_s: float | None = None
    waiting: dict[str, float] = {}


async def read(tx: AsyncConnection) -> Backups:
    """Ask the server, as audit or the administrator."""
    age = (await tx.execute(TAKEN)).scalar_one()
    slots = (await tx.execute(SLOTS)).all()
    return Backups(age_s=age, waiting={name: math.inf if waiting is None else waiting for name, waiting in slots})
