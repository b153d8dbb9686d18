"""Create the table of drafts of the case file."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run drafts.sql."""
    op.execute((Path(__file__).parent / "drafts.sql").read_text("utf-8"))
