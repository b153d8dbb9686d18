"""Store how a case ended, so that whoever held a part of it can be told; NULL: it is open, or was closed by the release before."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE intake.casefile ADD COLUMN outcome text")
