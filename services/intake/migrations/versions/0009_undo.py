"""Add to an offer until when its agency may take its answer back."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run undo.sql."""
    op.execute((Path(__file__).parent / "undo.sql").read_text("utf-8"))
