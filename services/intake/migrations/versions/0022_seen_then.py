"""Keep what the head of a case said when it excluded an agency: for as long as one party alone says so, its holder sees that (0071)."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the columns. sealed: a copy of the case's traits and consent of then, under the case's key. desk: the case's desk of then. NULL:
    not known, for exclusions that are older than the column or were restored from the log; both are hidden then."""
    op.execute("ALTER TABLE intake.exclusion ADD COLUMN sealed bytea, ADD COLUMN desk text")
