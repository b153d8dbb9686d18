"""Store which referrals came with a file of which only the beginning was stored, and why a topic of an agency is read late."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column and the table."""
    op.execute("ALTER TABLE intake.submission ADD COLUMN later boolean NOT NULL DEFAULT false")
    op.execute(
        "CREATE TABLE intake.late_topic (agency text PRIMARY KEY, cause text NOT NULL, since bigint NOT NULL, until bigint NOT NULL)"
    )
