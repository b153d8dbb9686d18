"""Know the procedure of each offer, whether it is stopped, and who has taken the offer."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE notifier.asked ADD COLUMN holder text, ADD COLUMN track text, ADD COLUMN stopped boolean NOT NULL DEFAULT false"
    )
