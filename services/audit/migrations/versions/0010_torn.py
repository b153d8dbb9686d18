"""Index the forks and gaps, which `referral doctor` counts: a look must not read the whole log."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("CREATE INDEX entry_torn ON audit.entry (idx) WHERE kind IN ('FORK', 'GAP')")
