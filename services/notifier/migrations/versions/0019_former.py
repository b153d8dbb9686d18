"""Keep the address before a change for a day, beside the new one."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the columns.

    former: sealed as address. until: when it stops to count, µs UTC. ends: the address itself ends then.
    """
    op.execute(
        "ALTER TABLE notifier.contact ADD COLUMN former bytea, ADD COLUMN until bigint, ADD COLUMN ends boolean NOT NULL DEFAULT false"
    )
