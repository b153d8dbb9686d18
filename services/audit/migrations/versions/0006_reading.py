"""Create the table in which readers ask for an entry before they read, and allow such entries, which have no position in a topic."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE audit.reading ("
        " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " value bytea NOT NULL,"  # of the entry, as referral/proof/reading.py writes it
        " idx bigint)"  # the entry, once audit has appended it; then the reader takes the row away
    )
    op.execute("DROP INDEX audit.entry_position")
    # entries of audit itself have offset -1, those of gaps the offset of another entry
    op.execute('CREATE UNIQUE INDEX entry_position ON audit.entry (topic, partition, "offset") WHERE "offset" >= 0 AND kind <> \'GAP\'')
    op.execute("CREATE INDEX entry_reading ON audit.entry (idx) WHERE kind = 'READING'")
