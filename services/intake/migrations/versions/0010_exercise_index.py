"""Drop the index of exercises by time: no statement uses it, because the table has some dozen rows a month and is read as a whole."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX intake.exercise_at")
