"""Keep what was published until the log has it, so that a lost broker can be filled again. `outbox` shows only what waits, as before.

A release of before goes on with the view: what it deletes there was confirmed, and is kept no longer.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

# published: the offset behind its last record on the topic; NULL: not confirmed yet. At most one blob per partition is that.
TABLES = """
ALTER TABLE outbox RENAME TO outgoing;
ALTER TABLE outgoing ADD COLUMN published bigint;
ALTER TABLE outgoing DROP CONSTRAINT outbox_pkey;
ALTER TABLE outgoing ADD PRIMARY KEY (partition, id);
CREATE INDEX outgoing_waiting ON outgoing (partition) WHERE published IS NULL;
CREATE VIEW outbox AS SELECT partition, id, records, oldest, blob FROM outgoing WHERE published IS NULL;
CREATE OR REPLACE VIEW waiting AS
    SELECT partition, min(at) AS oldest FROM (
        SELECT partition, at FROM queue WHERE NOT sent UNION ALL SELECT partition, oldest FROM outbox
    ) AS pending GROUP BY partition;
"""


def upgrade() -> None:
    op.execute(TABLES)
