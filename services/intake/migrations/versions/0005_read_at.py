"""Store when a desk first read a referral that it has to confirm, so that the sender's receipt can say that somebody is on it."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add casefile.read_at, µs UTC; NULL: not yet, or the case never waited to be confirmed."""
    op.execute("ALTER TABLE intake.casefile ADD COLUMN read_at bigint")
