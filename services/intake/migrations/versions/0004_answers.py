"""Create the table of answers to offers, with the effect of each."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run answers.sql."""
    op.execute((Path(__file__).parent / "answers.sql").read_text("utf-8"))
