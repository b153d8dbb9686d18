"""Create sessions of the pages, so that no browser holds an office's token."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE oversight.visit ("
        " digest bytea PRIMARY KEY,"  # SHA-256 of the cookie
        " reader bytea NOT NULL REFERENCES oversight.reader,"  # the token that it was begun with, as its table keeps it
        " ends_at bigint NOT NULL)"
    )
