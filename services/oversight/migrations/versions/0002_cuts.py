"""Store the offsets up to which the topics were read for a release: a later record of an earlier time is late."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE oversight.cut ("
        ' number int NOT NULL REFERENCES oversight.release, topic text NOT NULL, partition int NOT NULL, "offset" bigint NOT NULL,'
        " PRIMARY KEY (number, topic, partition))"
    )
