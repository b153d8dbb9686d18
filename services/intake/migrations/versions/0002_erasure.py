"""Create the tables of erasures and holds."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run erasure.sql."""
    op.execute((Path(__file__).parent / "erasure.sql").read_text("utf-8"))
