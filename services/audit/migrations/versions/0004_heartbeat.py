"""Allow heartbeat entries, which have no position in a topic, and index the newest."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("DROP INDEX audit.entry_position")
    op.execute(
        'CREATE UNIQUE INDEX entry_position ON audit.entry (topic, partition, "offset")'
        " WHERE kind NOT IN ('GAP', 'SCHEMA', 'KEYS', 'HEARTBEAT')"
    )
    op.execute("CREATE INDEX entry_heartbeat ON audit.entry (idx) WHERE kind = 'HEARTBEAT'")
