"""Let the view of given answers look at what waits to be published, not at what is kept until the log has it."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute(
        "CREATE OR REPLACE VIEW notifier.answered AS"
        " SELECT partition, min(at) AS oldest FROM ("
        " SELECT partition, at FROM notifier.queue WHERE type = 'knock-answered.v1' AND NOT sent"
        " UNION ALL"
        " SELECT q.partition, q.at FROM notifier.outbox o JOIN notifier.queue q USING (partition)"
        " WHERE q.type = 'knock-answered.v1' AND q.sent AND q.at >= o.oldest"
        " ) AS pending GROUP BY partition"
    )
