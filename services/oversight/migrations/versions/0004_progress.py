"""Store what was counted and how far, so that a start does not read everything again."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE oversight.progress ("
        " one boolean PRIMARY KEY DEFAULT true CHECK (one),"
        " number bigint NOT NULL,"  # of the saving: a second process that saves is noticed
        " head bytea NOT NULL)"  # sealed: positions, counts, and the sum over the rows of oversight.counted
    )
    op.execute(
        "CREATE TABLE oversight.counted ("
        " case_id text PRIMARY KEY,"
        " seen bytea NOT NULL,"  # msgpack: when it was erased, and the last record of each topic
        " state bytea)"  # sealed under the key of the case; null once it is erased
    )
