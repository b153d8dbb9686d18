"""Mark tasks that come in crowds: many of them at one desk are one knock."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add asked.crowd, and the index by which the open ones of a desk are found."""
    op.execute("ALTER TABLE notifier.asked ADD COLUMN crowd boolean NOT NULL DEFAULT false")
    op.execute("CREATE INDEX asked_crowd ON notifier.asked (agency) WHERE crowd AND state = 'OPEN'")
