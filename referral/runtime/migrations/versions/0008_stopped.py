"""Have each process say which of its units do not go on, and why, so that `referral doctor` reports what until now only /readyz knew."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE instance ADD COLUMN stopped text NOT NULL DEFAULT ''")
