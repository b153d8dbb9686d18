"""Keep when a procedure began and when cases were linked: an excluded sender sees nothing that happened later (decision 0080)."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the columns. at: µs UTC; 0 for what was there before."""
    op.execute("ALTER TABLE intake.track ADD COLUMN at bigint NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE intake.link ADD COLUMN at bigint NOT NULL DEFAULT 0")
