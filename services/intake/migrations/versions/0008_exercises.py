"""Create the table of exercises that people have started from the page."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table: one row for each case of an exercise. It holds nothing about a person but the account that started it."""
    op.execute(
        "CREATE TABLE intake.exercise ("
        " case_id text PRIMARY KEY,"
        " exercise text NOT NULL,"  # the first case's id
        " story text NOT NULL,"
        " municipality text NOT NULL,"
        " agency text NOT NULL,"
        " account text NOT NULL,"
        " at bigint NOT NULL)"
    )
    op.execute("CREATE INDEX exercise_at ON intake.exercise (at)")
