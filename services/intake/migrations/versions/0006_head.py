"""Mark heads of agencies, and make the tables of invitations and calendar feeds."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run head.sql."""
    op.execute((Path(__file__).parent / "head.sql").read_text("utf-8"))
