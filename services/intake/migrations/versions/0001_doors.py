"""Create the tables of the API and of the staff inbox."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run doors.sql and accounts.sql."""
    for name in ("doors.sql", "accounts.sql"):
        op.execute((Path(__file__).parent / name).read_text("utf-8"))
