"""Store with each policy bundle what its two signers signed; a bundle of before has no signature, and is believed where it is pinned."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in ("valid_from bigint NOT NULL DEFAULT 0", "before text NOT NULL DEFAULT ''", r"signatures bytea NOT NULL DEFAULT '\x90'"):
        op.execute(f"ALTER TABLE routing.policy ADD COLUMN {column}")
