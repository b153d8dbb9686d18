"""Allow several refusals of one key, also beside its receipt."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run refusals.sql."""
    op.execute((Path(__file__).parent / "refusals.sql").read_text("utf-8"))
