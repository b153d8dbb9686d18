"""Store which connection an instance's loop has: an instance whose connection is gone is dead before ten seconds are over."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE instance ADD COLUMN pid integer")
