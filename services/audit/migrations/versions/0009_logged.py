"""Show the other services how far the log has read their topics: what it has, they need not keep."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        "CREATE VIEW audit.logged AS"
        ' SELECT place.key AS place, CAST(place.value ->> 0 AS bigint) AS "offset" FROM audit.lease, jsonb_each(positions) AS place'
    )
