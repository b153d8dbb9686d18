"""Know the rung of each offer at which a message has arrived, and the one of which routing was told so."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute("ALTER TABLE notifier.asked ADD COLUMN arrived integer NOT NULL DEFAULT -1, ADD COLUMN reached integer NOT NULL DEFAULT -1")
