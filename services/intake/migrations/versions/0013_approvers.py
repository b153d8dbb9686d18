"""Store the signature of the person who asked for an erasure: whoever approves it signs it too."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE intake.erasure ADD COLUMN requested_signature bytea")
