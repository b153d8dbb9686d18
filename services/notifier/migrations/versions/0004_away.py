"""Mark offers for which no message was sent because our channels are away."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE notifier.asked ADD COLUMN away boolean NOT NULL DEFAULT false")
