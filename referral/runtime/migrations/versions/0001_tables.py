"""Create the loop's tables, one set in each service's schema (the search path names it)."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE instance (id text PRIMARY KEY, alive_until timestamptz NOT NULL);
-- positions: "topic/partition" -> [next offset, digest of the record before it]; of the topic that the service writes: what is confirmed.
-- taken: the positions at the last take-over; clean: no batch is tried for the first time; careful: one before died of such a batch.
CREATE TABLE lease (
    unit text PRIMARY KEY,
    owner text,
    pid integer,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    epoch bigint NOT NULL DEFAULT 0,
    clean boolean NOT NULL DEFAULT true,
    careful boolean NOT NULL DEFAULT false,
    positions jsonb NOT NULL DEFAULT '{}',
    taken jsonb NOT NULL DEFAULT '{}'
);
-- The last sequence of each case in each topic, read or written. digest: of that record's value.
CREATE TABLE seen (
    topic text NOT NULL,
    case_id text NOT NULL,
    seq bigint NOT NULL,
    digest bytea NOT NULL,
    drill boolean NOT NULL DEFAULT false,
    PRIMARY KEY (case_id, topic)
);
CREATE TABLE alarm (case_id text PRIMARY KEY, partition integer NOT NULL, at bigint NOT NULL);
CREATE INDEX alarm_due ON alarm (partition, at);
CREATE TABLE queue (
    n bigint GENERATED ALWAYS AS IDENTITY,
    id text PRIMARY KEY,
    partition integer NOT NULL,
    case_id text NOT NULL,
    type text NOT NULL,
    fingerprint bigint NOT NULL,
    body bytea NOT NULL,
    drill boolean NOT NULL DEFAULT false,
    at bigint NOT NULL DEFAULT runtime.clock(),
    sent boolean NOT NULL DEFAULT false
);
CREATE INDEX queue_unsent ON queue (partition, n) WHERE NOT sent;
-- At most one blob per partition waits for its publication. oldest: when the oldest of its causes came in.
CREATE TABLE outbox (
    partition integer PRIMARY KEY,
    id bigint GENERATED ALWAYS AS IDENTITY,
    records integer NOT NULL,
    oldest bigint NOT NULL,
    blob bytea NOT NULL
);
-- A record about to be decoded after an unclean take-over; gone again when it did not kill the process.
CREATE TABLE attempt (
    unit text PRIMARY KEY,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    attempts integer NOT NULL
);
-- What an alarm must wait for: the oldest thing of a partition that came in and is not on the topic yet.
CREATE VIEW waiting AS
    SELECT partition, min(at) AS oldest FROM (
        SELECT partition, at FROM queue WHERE NOT sent UNION ALL SELECT partition, oldest FROM outbox
    ) AS pending GROUP BY partition;
"""


def upgrade() -> None:
    op.execute(TABLES)
