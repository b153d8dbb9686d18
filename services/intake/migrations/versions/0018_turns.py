"""Make the rows by which attempts to sign in with one login take turns: a row is guarded by rights, an advisory lock is not."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("CREATE TABLE intake.turn (id integer PRIMARY KEY)")
    op.execute("INSERT INTO intake.turn SELECT generate_series(0, 255)")
