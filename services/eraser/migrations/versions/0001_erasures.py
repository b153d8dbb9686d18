"""Store what the eraser has found on `referral-intake`, and how far it has read."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        "CREATE TABLE eraser.erasure ("
        " case_id text,"
        " event_id text,"
        " sha256 text NOT NULL,"  # of the record that carries both approvals, as the log's leaf must have it
        " proven boolean NOT NULL DEFAULT false,"  # by a checkpoint that witnesses have signed
        " destroyed_at bigint,"
        " PRIMARY KEY (case_id, event_id))"
    )
    op.execute("CREATE INDEX erasure_waits ON eraser.erasure (case_id) WHERE destroyed_at IS NULL")
    # A restored copy has an older offset too, so what was found after it is found again.
    op.execute("CREATE TABLE eraser.read (partition integer PRIMARY KEY, next bigint NOT NULL)")
