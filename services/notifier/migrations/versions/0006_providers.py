"""Add the breakers of providers."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the file beside this one."""
    op.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))
