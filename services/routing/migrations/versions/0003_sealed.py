"""Store the states of cases as they are: PostgreSQL tries to compress what is large, and sealed bytes do not become smaller."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE routing.case_state ALTER COLUMN state SET STORAGE EXTERNAL")
