"""Make the table whose lock a batch shares and a change of the roster has alone. It stays empty."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute("CREATE TABLE notifier.turn (one boolean)")
