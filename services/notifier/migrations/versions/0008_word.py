"""Keep what somebody answered beside the message, so that a restored database can be told it again."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE notifier.delivery ADD COLUMN word text CHECK (word IN ('LOOKS', 'CANNOT'))")
