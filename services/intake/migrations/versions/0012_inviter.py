"""Forget who invited whom: the event account-changed says it, and nothing read the column, which held an operator's name."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Drop the column. An intake of the release before cannot invite beside this one; everything else of it goes on."""
    op.execute("ALTER TABLE intake.invitation DROP COLUMN invited_by")
