"""Store the outbox's blobs as they are: PostgreSQL tries to compress what is large, and sealed bytes do not become smaller."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE outgoing ALTER COLUMN blob SET STORAGE EXTERNAL")
