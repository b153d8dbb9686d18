"""Add the view that the watchman reads: counters, and nothing about a case."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the file beside this one."""
    op.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))
